"""One person's page as a process of its own, to be killed or frozen: a stream, a beat every ten seconds, a farewell.

    python presence_client.py NAME ADDRESS [ADDRESS…]

It does as the extension does: it comes back at once when its line breaks, in its turn when it is sent away, to the
next address where one does not answer, and anew where nobody knows it any more. It writes what happens, a line each;
"bye" on its input makes it leave. Its words go to the address in WORDS, where there is one.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import threading
import time

import httpx
from bs4 import BeautifulSoup

BEAT = 10.0  # seconds
JSON = {"Content-Type": "application/json", "Sec-Fetch-Site": "same-origin"}


class Client:
    def __init__(self, name: str, addresses: list[str]) -> None:
        self.name = name
        self.addresses = addresses
        self.tab = secrets.token_hex(16)
        self.gen = 0
        self.leaving = threading.Event()
        self.http = httpx.Client(timeout=30, trust_env=False, cookies={"who": name})
        page = BeautifulSoup(self.http.get(self.addresses[0] + "/").text, "html.parser")
        self.grants = [grant for one in page.select("[rt-grant]") for grant in str(one["rt-grant"]).split()]

    def tell(self, *words: object) -> None:
        print(f"{time.time():.3f}", *words, flush=True)

    def run(self) -> None:
        threading.Thread(target=self.beat, daemon=True).start()
        threading.Thread(target=self.listen, daemon=True).start()
        while not self.leaving.is_set():
            try:
                self.follow()
            except httpx.HTTPError as error:
                self.tell("broken", type(error).__name__)
                self.addresses.append(self.addresses.pop(0))
                self.leaving.wait(0.2)

    def follow(self) -> None:
        self.gen += 1
        tab = {"id": self.tab, "gen": self.gen, "vis": True, "fresh": self.grants}
        body = {"v": 1, "cursor": None, "tabs": [tab]}
        url = self.addresses[0] + "/_rt/stream"
        with self.http.stream("POST", url, json=body, headers=JSON | {"Accept": "text/event-stream"}) as answer:
            if answer.status_code != 200:
                raise httpx.HTTPError(str(answer.status_code))
            name = ""
            for line in answer.iter_lines():
                key, _, value = line.partition(": ")
                if key == "event":
                    name = value
                elif key == "data" and name == "rt:hello":
                    self.tell("open", self.addresses[0])
                    views = {"vis": True, "here": True, "views": {"here:doc:1": ["count"]}}
                    threading.Thread(target=self.say, args=(views,), daemon=True).start()
                elif key == "data" and name == "rt:view":
                    self.tell("view", json.loads(value)["n"])
                elif key == "data" and name == "rt:bye":
                    data = json.loads(value)
                    self.tell("moving", data)
                    self.leaving.wait(data.get("at", data["in"]) / 1000)
                    self.addresses.append(self.addresses.pop(0))
                    return
        self.tell("ended")

    def beat(self) -> None:
        while not self.leaving.wait(BEAT):
            if self.tab in self.say({"vis": True, "idle": False, "here": True}):
                self.tell("lost")
                threading.Thread(target=self.follow, daemon=True).start()

    def say(self, what: dict[str, object]) -> list[str]:
        """Send a beat; return the tabs that nobody knows."""
        for address in [os.environ["WORDS"]] if "WORDS" in os.environ else list(self.addresses):
            try:
                body = {"tabs": [{"id": self.tab, "gen": self.gen} | what]}
                cookies = dict(self.http.cookies)
                beat = address + "/_rt/beat"
                answer = httpx.post(beat, json=body, headers=JSON, cookies=cookies, trust_env=False, timeout=2)
                return list(answer.json().get("lost", []))
            except httpx.HTTPError:
                continue
        return []

    def listen(self) -> None:
        for line in sys.stdin:
            if line.strip() == "bye":
                self.leaving.set()
                self.tell("bye")
                self.say({"bye": True})
                self.http.close()
                self.tell("left")
                return


if __name__ == "__main__":
    Client(sys.argv[1], sys.argv[2:]).run()
