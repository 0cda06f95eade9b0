/* The client of bench/compare.py: opens readers, publishes, and counts what arrives. One thread, epoll, no library.
 *
 *   cc -O2 -o load load.c
 *   load readers=FILE pids=12,13 expect='200 OK' port=8000 topics=1 seconds=3 …   prints one JSON object
 *   load floor=1000 size=1100 seconds=2                                          what a bare write() costs
 *
 * FILE has for each reader a line "PORT TOPIC LENGTH LENGTH" and then that many bytes: what it sends at first, and what
 * it sends once it has seen expect= (none for most). After expect= and then=, it is up.
 *
 * A published body ends in a mark of 27 bytes, |SSSSSSSSTTTTTTTTTTTTTTTTx|: 8 hex digits of the number in its topic from
 * 0 on, 16 of CLOCK_MONOTONIC in ns, and an x. Each reader has a bit for each number, so whatever is lost, doubled or
 * out of order is known exactly.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define MARK 27
#define MOST_NUMBERS (1u << 22) /* in one topic that has many readers */
#define STEPS 64                /* of the histogram of latencies, for each doubling */

typedef struct {
  int fd, port, step; /* step 0: not up, 1: has sent its second message, 2: up, -1: broken */
  uint32_t topic, numbers, highest, got, doubled, reordered;
  uint64_t began;
  char *send[2];
  int length[2], carried;
  char carry[64];
  uint8_t *seen; /* a bit a number */
} reader;

typedef struct { /* a connection that posts, one request at a time */
  int fd, busy, length, sent, received;
  uint32_t posts, at;
  char *out, in[16384];
} poster;

typedef struct { /* what a person does: a request at its time, over a poster of theirs */
  double due;
  int poster, length;
  char *bytes;
} act;

static int port, topics = 1, publishers = 1, batch = 1, spread = 1, inflight = 256, stuck, receive_buffer, size = 1024;
static double seconds = 3, rate, timeout = 20, settle = 0.7, window = 8, warm = 16;
static const char *expect = "200 OK", *then = NULL, *name = "t";
static int pids[16], n_pids;

static reader *readers;
static poster *posters;
static act *acts;
static uint32_t n_readers, n_up, n_broken, n_posters, n_acts, live; /* live: those of topic 0 that read */
static uint32_t *passes, *arrived; /* numbers published to a topic; readers that have a number of topic 0 */
static uint64_t delivered, measured, failed, replies, complete, last_delivery, histogram[64 * STEPS];
static uint64_t measure_from; /* number, or ns with acts: what came before was to warm up */
static int epoll, acting;
static char buffer[65536 + 64];

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void die(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  exit(2);
}

/* What the servers have used */

static double cpu_of(int pid) {
  char path[300];
  unsigned long long ns, sum = 0;
  snprintf(path, sizeof path, "/proc/%d/task", pid);
  DIR *tasks = opendir(path);
  if (!tasks) die("process %d has gone", pid);
  for (struct dirent *task; (task = readdir(tasks));) {
    snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", pid, task->d_name);
    FILE *file = task->d_name[0] == '.' ? NULL : fopen(path, "r");
    if (file && fscanf(file, "%llu", &ns) == 1) sum += ns;
    if (file) fclose(file);
  }
  closedir(tasks);
  return sum / 1e9;
}

static double cpu[16];
static void cpu_start(void) { for (int i = 0; i < n_pids; i++) cpu[i] = cpu_of(pids[i]); }
static void cpu_print(const char *name) {
  printf("\"%s\":[", name);
  for (int i = 0; i < n_pids; i++) printf("%s%.6f", i ? "," : "", cpu_of(pids[i]) - cpu[i]);
  printf("],");
}

static long memory(void) { /* KiB that the servers hold */
  long sum = 0, kib;
  for (int i = 0; i < n_pids; i++) {
    char path[64], line[256];
    snprintf(path, sizeof path, "/proc/%d/smaps_rollup", pids[i]);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file)) if (sscanf(line, "Rss: %ld", &kib) == 1) sum += kib;
    if (file) fclose(file);
  }
  return sum;
}

static double own_cpu(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

/* Readers */

static void keep_latency(uint64_t ns) {
  uint64_t us = ns / 1000 + STEPS;
  int power = 63 - __builtin_clzll(us), shift = power - 6;
  histogram[(power - 6) * STEPS + ((us >> shift) & (STEPS - 1))]++;
}

static double latency(double share) { /* ms */
  uint64_t sum = 0, most = 0;
  for (int i = 0; i < 58 * STEPS; i++) sum += histogram[i];
  for (int i = 0; i < 58 * STEPS; i++) {
    most += histogram[i];
    if (most >= share * sum && most) return (((uint64_t)(STEPS + i % STEPS) << (i / STEPS)) - STEPS) / 1000.0;
  }
  return 0;
}

static int connect_to(int to) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  struct linger reset = {1, 0}; /* thousands of connections in TIME_WAIT would be in the way of the next run */
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(to), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (fd < 0) die("socket: %s", strerror(errno));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  if (receive_buffer) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  if (connect(fd, (void *)&address, sizeof address) && errno != EINPROGRESS) die("connect: %s", strerror(errno));
  return fd;
}

static void watch(int fd, int how, uint32_t events, uint64_t what) {
  struct epoll_event event = {.events = events, .data.u64 = what};
  epoll_ctl(epoll, how, fd, &event);
}

static void broken(reader *r, const char *why, const char *bytes) {
  if (r->step < 0) return;
  if (!n_broken++) fprintf(stderr, "a reader broke: %s %.300s\n", why, bytes);
  if (r->step == 2) n_up--;
  r->step = -1;
  close(r->fd);
}

static int hex(const char *text, int digits, uint64_t *value) {
  *value = 0;
  for (int i = 0; i < digits; i++) {
    int c = text[i], digit = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    if (digit < 0) return 0;
    *value = *value << 4 | digit;
  }
  return 1;
}

static void deliver(reader *r, const char *mark) {
  uint64_t number, sent, at = now();
  if (!hex(mark + 1, 8, &number) || !hex(mark + 9, 16, &sent) || number >= MOST_NUMBERS) return;
  if (number >= r->numbers) {
    uint32_t more = (number + 1024) / 1024 * 2048;
    r->seen = realloc(r->seen, more / 8);
    memset(r->seen + r->numbers / 8, 0, (more - r->numbers) / 8);
    r->numbers = more;
  }
  if (r->seen[number / 8] >> number % 8 & 1) { r->doubled++; return; }
  r->seen[number / 8] |= 1 << number % 8;
  if (r->got && number < r->highest) r->reordered++; else r->highest = number;
  r->got++;
  delivered++;
  if ((acting ? sent : number) >= measure_from) {
    keep_latency(at - sent);
    measured++;
    last_delivery = at;
  }
  if (arrived && ++arrived[number] == live) complete++;
}

static void scan(reader *r, char *at, int length) {
  char *end = at + length;
  r->carried = 0;
  for (char *mark; (mark = memchr(at, '|', end - at)); at = mark + 1) {
    if (end - mark < MARK) {
      r->carried = end - mark;
      memcpy(r->carry, mark, r->carried);
      return;
    }
    if (mark[MARK - 1] == '|' && mark[MARK - 2] == 'x') { deliver(r, mark); mark += MARK - 1; }
  }
}

static void write_all(reader *r, int which) {
  if (write(r->fd, r->send[which], r->length[which]) != r->length[which]) broken(r, "could not send", "");
}

static void came_up(reader *r) {
  r->step = 2;
  n_up++;
  if (r - readers < stuck) epoll_ctl(epoll, EPOLL_CTL_DEL, r->fd, 0);
}

static void on_reader(reader *r, uint32_t events) {
  if (r->step < 0) return;
  if (events & EPOLLOUT) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(r->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error) { broken(r, strerror(error), ""); return; }
    write_all(r, 0);
    watch(r->fd, EPOLL_CTL_MOD, EPOLLIN, r - readers);
    return;
  }
  memcpy(buffer, r->carry, r->carried);
  int got = recv(r->fd, buffer + r->carried, 65536, 0), length = r->carried + got;
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) { broken(r, got ? strerror(errno) : "the server closed", ""); return; }
  buffer[length] = 0;
  if (r->step == 2) { scan(r, buffer, length); return; }
  /* An opening arrives in few pieces; what is looked for may be cut by them, so their ends are kept. */
  const char *wanted = r->step == 0 ? expect : then;
  if (memmem(buffer, length, wanted, strlen(wanted))) {
    if (r->step == 0 && r->length[1]) write_all(r, 1);
    if (r->step == 0 && then) {
      r->step = 1;
      r->carried = 0;
      if (memmem(buffer, length, then, strlen(then)) && !r->length[1]) came_up(r);
    } else came_up(r);
    if (r->step == 2) scan(r, buffer, length);
  } else if (r->step == 0 && length > 12 && !memcmp(buffer, "HTTP/1.1 ", 9) && buffer[9] > '2') {
    broken(r, "refused:", buffer);
  } else {
    r->carried = length < 60 ? length : 60;
    memmove(r->carry, buffer + length - r->carried, r->carried);
  }
}

/* Publishers, and people who act */

static void post(poster *p) {
  while (p->sent < p->length) {
    int n = write(p->fd, p->out + p->sent, p->length - p->sent);
    if (n < 0 && errno == EAGAIN) return;
    if (n < 0) die("a publisher could not write: %s", strerror(errno));
    p->sent += n;
  }
}

static void publish(poster *p, uint32_t topic, uint64_t at) {
  static const char *before = "<p class=\"row\" id=\"row-%08x\">", *after = "|%08x%016llxx|</p>";
  int length = sprintf(p->out, "POST /pub/%s%u HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nX-Batch: %d\r\nX-Topics: %d\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n",
                       name, topic, port, batch, spread, size * batch);
  for (int i = 0; i < batch; i++) {
    uint32_t number = passes[topic]++;
    for (int j = 1; j < spread; j++) passes[topic + j]++; /* all of which have had as many */
    char *body = p->out + length, *end = body + size;
    char *filler = body + sprintf(body, before, number);
    char *tail = end - MARK - 4;
    for (int j = 0; filler + j < tail; j++) filler[j] = "abcdefghij \"klmnopqrs\" tuvwxyz, "[j % 32];
    char kept = end[0];
    sprintf(tail, after, number, (unsigned long long)at);
    end[0] = kept;
    length += size;
  }
  p->length = length;
  p->sent = p->received = 0;
  p->busy = 1;
  p->posts++;
  post(p);
}

static void on_poster(poster *p, uint32_t events) {
  if (events & EPOLLOUT) post(p);
  if (!(events & EPOLLIN)) return;
  int n = recv(p->fd, p->in + p->received, sizeof p->in - 1 - p->received, 0);
  if (n < 0 && errno == EAGAIN) return;
  if (n <= 0) die("the server closed a publisher's connection after %u posts, %llu deliveries", p->posts, (unsigned long long)delivered);
  p->in[p->received += n] = 0;
  char *body = strstr(p->in, "\r\n\r\n"), *told = strcasestr(p->in, "\r\ncontent-length:");
  if (!body) return;
  body += 4;
  if (told && told < body && p->received < body - p->in + atoi(told + 17)) return;
  if (!told && strcasestr(p->in, "transfer-encoding: chunked") && !strstr(body, "0\r\n\r\n")) return;
  if (p->in[9] != '2' && !failed++) fprintf(stderr, "a post failed: %.300s\n", p->in);
  p->busy = p->received = 0;
  replies++;
}

static void step(int ms) {
  struct epoll_event events[512];
  int n = epoll_wait(epoll, events, 512, ms);
  for (int i = 0; i < n; i++) {
    uint64_t what = events[i].data.u64;
    if (what >> 32) on_poster(&posters[what >> 32 ^ 0x80000000u], events[i].events);
    else on_reader(&readers[what], events[i].events);
  }
}

static int until(uint64_t due) { /* whole ms */
  uint64_t at = now();
  return due > at ? (due - at) / 1000000 : 0;
}

static void wait_for(double s) {
  for (uint64_t end = now() + s * 1e9; now() < end;) step(5);
}

static void open_posters(uint32_t count, int room) {
  posters = calloc(n_posters = count, sizeof *posters);
  for (uint32_t i = 0; i < count; i++) {
    posters[i].fd = connect_to(port);
    posters[i].out = room ? malloc(room) : NULL;
    posters[i].at = i;
    watch(posters[i].fd, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT | EPOLLET, (uint64_t)(i | 0x80000000u) << 32);
  }
  wait_for(0.2);
}

/* The runs */

static void read_readers(const char *path) {
  FILE *file = fopen(path, "r");
  if (!file) die("cannot read %s", path);
  reader one = {0};
  for (; fscanf(file, "%d %u %d %d", &one.port, &one.topic, &one.length[0], &one.length[1]) == 4; n_readers++) {
    fgetc(file);
    for (int i = 0; i < 2; i++) {
      one.send[i] = malloc(one.length[i] + 1);
      if (fread(one.send[i], 1, one.length[i], file) != (size_t)one.length[i]) die("%s is cut off", path);
    }
    if (!(n_readers & 1023)) readers = realloc(readers, (n_readers + 1024) * sizeof *readers);
    readers[n_readers] = one;
  }
  fclose(file);
}

static void read_acts(const char *path) { /* lines "SECONDS POSTER LENGTH", in order of time, then the bytes */
  FILE *file = fopen(path, "r");
  if (!file) die("cannot read %s", path);
  act one;
  for (; fscanf(file, "%lf %d %d", &one.due, &one.poster, &one.length) == 3; n_acts++) {
    fgetc(file);
    one.bytes = malloc(one.length);
    if (fread(one.bytes, 1, one.length, file) != (size_t)one.length) die("%s is cut off", path);
    if (!(n_acts & 1023)) acts = realloc(acts, (n_acts + 1024) * sizeof *acts);
    acts[n_acts] = one;
  }
  fclose(file);
}

static void open_readers(void) {
  uint32_t started = 0, before;
  long held = memory();
  cpu_start();
  uint64_t began = now(), progress = began;
  while (n_up + n_broken < n_readers && now() - progress < timeout * 1e9) {
    for (before = n_up + n_broken; started < n_readers && started - before < (uint32_t)inflight; started++) {
      readers[started].fd = connect_to(readers[started].port);
      watch(readers[started].fd, EPOLL_CTL_ADD, EPOLLIN | EPOLLOUT, started);
    }
    step(50);
    if (n_up + n_broken != before) progress = now();
  }
  double took = (now() - began) / 1e9;
  cpu_print("connect_cpu");
  wait_for(settle);
  printf("\"readers\":%u,\"up\":%u,\"connect_s\":%.4f,\"held_before\":%ld,\"held\":%ld,", n_readers, n_up, took, held, memory());
  for (uint32_t i = stuck; i < n_readers; i++) live += readers[i].topic == 0;
}

static uint64_t deliveries_due(void) { /* to those that read, of all that was published */
  uint64_t sum = 0;
  for (uint32_t i = stuck; i < n_readers; i++) sum += passes[readers[i].topic];
  return sum;
}

static uint64_t posts_made(void) {
  uint64_t sum = 0;
  for (uint32_t i = 0; i < n_posters; i++) sum += posters[i].posts;
  return sum;
}

static int drain(uint64_t due) {
  uint64_t progress = now();
  for (uint64_t before = delivered; (delivered < due || replies < posts_made()) && now() - progress < timeout * 1e9;) {
    step(20);
    if (delivered != before) { before = delivered; progress = now(); }
  }
  return delivered >= due;
}

static void publish_one_topic(void) {
  uint64_t began = now(), published = 0, due;
  for (uint64_t progress = began;; ) {
    double elapsed = (now() - began) / 1e9;
    if (elapsed >= seconds || passes[0] + batch >= MOST_NUMBERS) break;
    due = rate ? began + published / rate * 1e9 : now();
    if (passes[0] == complete) progress = now();
    else if (now() - progress > timeout * 1e9) { fprintf(stderr, "nothing moves\n"); break; }
    if (!posters[0].busy && now() >= due && (rate || passes[0] - complete < window)) {
      publish(&posters[0], 0, due);
      published += batch;
      progress = now();
      step(0);
    } else step(rate && !posters[0].busy ? until(due) : 1);
  }
}

static void publish_all_topics(void) {
  for (uint64_t end = now() + seconds * 1e9; now() < end; step(1))
    for (uint32_t i = 0; i < n_posters; i++) { /* each has topics of its own, and goes round them */
      poster *p = &posters[i];
      if (p->busy) continue;
      publish(p, p->at * spread, now());
      p->at = (p->at + n_posters) * spread < (uint32_t)topics ? p->at + n_posters : i;
    }
}

static uint64_t perform(void) { /* returns how many acts were made that everybody hears of */
  uint64_t began = now(), made = 0;
  for (uint32_t next = 0; next < n_acts;) {
    uint64_t due = began + acts[next].due * 1e9;
    poster *p = &posters[acts[next].poster];
    if (now() < due) { step(until(due)); continue; }
    if (p->busy) { step(1); if (now() > due + 3 * timeout * 1e9) break; continue; } /* a person waits for the answer */
    p->out = acts[next].bytes;
    p->length = acts[next].length;
    p->sent = p->received = 0;
    p->busy = 1;
    p->posts++;
    post(p);
    made += !memmem(acts[next].bytes, acts[next].length, "/_rt/", 5);
    next++;
  }
  return made;
}

static void report(double took, double busy, uint64_t published, uint64_t due) {
  uint64_t doubled = 0, reordered = 0;
  for (uint32_t i = 0; i < n_readers; i++) doubled += readers[i].doubled, reordered += readers[i].reordered;
  printf("\"published\":%llu,\"deliveries\":%llu,\"seconds\":%.4f,\"client_busy\":%.3f,\"p50\":%.3f,\"p99\":%.3f,\"worst\":%.3f,"
         "\"lost\":%lld,\"doubled\":%llu,\"reordered\":%llu,\"failed\":%llu,\"posts\":%llu,\"replies\":%llu,\"held_after\":%ld,",
         (unsigned long long)published, (unsigned long long)measured, took, busy / took, latency(0.5), latency(0.99), latency(1),
         (long long)(due - delivered), (unsigned long long)doubled, (unsigned long long)reordered, (unsigned long long)failed,
         (unsigned long long)posts_made(), (unsigned long long)replies, memory());
}

static void run(void) {
  passes = calloc(topics, sizeof *passes);
  if (acts) {
    acting = 1;
    uint32_t people = 0;
    for (uint32_t i = 0; i < n_acts; i++) if (acts[i].poster >= (int)people) people = acts[i].poster + 1;
    open_posters(people, 0);
  } else open_posters(publishers, (size + 1) * batch + 1024);
  if (topics == 1) arrived = calloc(MOST_NUMBERS, sizeof *arrived);
  if (!acts) { /* warm up: each path once, or a few times */
    measure_from = UINT64_MAX;
    if (topics == 1) for (uint32_t i = 0; i < warm; i++) { publish(&posters[0], 0, now()); if (!drain(deliveries_due())) break; }
    else for (int i = 0; i < topics; i += spread) {
      poster *p = &posters[i / spread % n_posters];
      while (p->busy) step(5);
      publish(p, i, now());
    }
    drain(deliveries_due());
    if (delivered < deliveries_due()) die("%llu of the first %llu deliveries came", (unsigned long long)delivered, (unsigned long long)deliveries_due());
    measure_from = passes[0]; /* of many topics each has had one */
    wait_for(0.1);
  }
  uint64_t before = posts_made();
  cpu_start();
  double busy = own_cpu();
  uint64_t began = now(), due = 0, published;
  last_delivery = began;
  if (acts) {
    published = perform();
    due = published * live;
  } else {
    if (topics == 1) publish_one_topic(); else publish_all_topics();
    due = deliveries_due();
    published = (posts_made() - before) * batch * spread;
  }
  drain(due);
  double took = ((last_delivery > began ? last_delivery : now()) - began) / 1e9;
  busy = own_cpu() - busy;
  cpu_print("cpu");
  wait_for(0.2); /* whatever comes now came twice */
  report(took, busy, published, due);
}

static void floor_of(int connections) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t length = sizeof address;
  int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1, *fds = malloc(sizeof(int) * connections);
  bind(listener, (void *)&address, length);
  getsockname(listener, (void *)&address, &length);
  listen(listener, 4096);
  cpu_set_t core;
  CPU_ZERO(&core);
  pid_t child = fork();
  if (!child) {
    CPU_SET(1, &core);
    sched_setaffinity(0, sizeof core, &core);
    epoll = epoll_create1(0);
    for (int i = 0; i < connections; i++) {
      int fd = connect_to(ntohs(address.sin_port));
      watch(fd, EPOLL_CTL_ADD, EPOLLIN, fd);
    }
    for (struct epoll_event events[512];;) {
      int n = epoll_wait(epoll, events, 512, -1);
      for (int i = 0; i < n; i++) if (recv(events[i].data.u64, buffer, 65536, 0) == 0) _exit(0);
    }
  }
  CPU_SET(0, &core);
  sched_setaffinity(0, sizeof core, &core);
  for (int i = 0; i < connections; i++) {
    fds[i] = accept4(listener, 0, 0, SOCK_NONBLOCK);
    setsockopt(fds[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  }
  char *body = malloc(size);
  memset(body, 'x', size);
  uint64_t writes = 0, end = now() + seconds * 1e9;
  double used = own_cpu();
  while (now() < end) for (int i = 0; i < connections; i++) writes += write(fds[i], body, size) == size;
  printf("{\"deliveries\":%llu,\"cpu\":[%.6f]}\n", (unsigned long long)writes, own_cpu() - used);
  kill(child, SIGKILL);
  waitpid(child, 0, 0);
}

int main(int count, char **arguments) {
  const char *readers_file = NULL, *acts_file = NULL;
  int floor_connections = 0;
  for (int i = 1; i < count; i++) {
    char *option = arguments[i], *value = strchr(option, '=');
    if (!value) die("%s: say name=value", option);
    *value++ = 0;
#define OPTION(key, set) if (!strcmp(option, key)) { set; continue; }
    OPTION("readers", readers_file = value)
    OPTION("acts", acts_file = value)
    OPTION("expect", expect = value)
    OPTION("then", then = value)
    OPTION("pids", for (char *at = value; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) pids[n_pids++] = atoi(at))
    OPTION("name", name = value)
    OPTION("port", port = atoi(value))
    OPTION("topics", topics = atoi(value))
    OPTION("publishers", publishers = atoi(value))
    OPTION("batch", batch = atoi(value))
    OPTION("spread", spread = atoi(value))
    OPTION("size", size = atoi(value))
    OPTION("inflight", inflight = atoi(value))
    OPTION("stuck", stuck = atoi(value))
    OPTION("receive_buffer", receive_buffer = atoi(value))
    OPTION("seconds", seconds = atof(value))
    OPTION("rate", rate = atof(value))
    OPTION("window", window = atof(value))
    OPTION("warm", warm = atof(value))
    OPTION("settle", settle = atof(value))
    OPTION("timeout", timeout = atof(value))
    OPTION("floor", floor_connections = atoi(value))
    die("unknown option %s", option);
  }
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  signal(SIGPIPE, SIG_IGN);
  if (floor_connections) { floor_of(floor_connections); return 0; }
  if (!readers_file || !n_pids) die("say readers= and pids=");
  read_readers(readers_file);
  if (acts_file) read_acts(acts_file);
  epoll = epoll_create1(0);
  printf("{");
  open_readers();
  if (port && n_up) run();
  printf("\"still_up\":%u}\n", n_up);
  return 0;
}
