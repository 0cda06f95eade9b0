"""The worker of a queue, in a process that serves nobody. Used by docs/howto/progress.md."""

import os

from htmx_rt import Realtime

rt = Realtime(
    secret=os.environ["RT_SECRET"],
    bus=os.environ.get("RT_BUS", "redis://localhost:6379"),  # those of the app
    store=os.environ.get("RT_STORE", "redis://localhost:6379"),
)


def recount(import_id: int, who: str):  # a job, such as Celery or RQ run it
    with rt.progress(f"import:{import_id}", "Recounting the stock", total=500, user=who) as p:
        for number in range(500):
            p.update(done=number)
