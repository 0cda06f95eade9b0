"""What an app is served with besides pages: work that takes long, notifications, files, answers to half-filled forms."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from . import protocol
from .catalogue import Catalogue
from .eventual import Eventual
from .identity import Identity, current
from .lifecycle import Lifecycle
from .macros import Macros
from .notifications import Notifications
from .progress import Progress
from .progress_record import Record
from .progress_start import owned, planned
from .progresses import Progresses
from .publishing import Publisher, Topic
from .request_state import RequestState
from .signing import Signer
from .stores.base import Store
from .topics import check_topic, user_topic
from .types import Limits, User
from .uploads import Uploads
from .validation import Errors, Make, answer, errors_of


class Services(Lifecycle):
    """The part of a `Realtime` that keeps things for people and tells them."""

    store: Store
    limits: Limits
    words: Catalogue
    name: str
    signer: Signer
    identity: Identity
    macros: Macros
    _publisher: Publisher

    def begin_services(self, *, uploads: str | Path | None) -> None:
        """Make what keeps things; nothing is started yet."""
        self.uploads = self.macros.uploads = Uploads(
            folder=uploads, name=self.name, signer=self.signer, identity=self.identity, limits=self.limits,
            words=self.words, home=self.home, request=self._request,
        )  # fmt: skip
        self.progresses = Progresses(
            store=self.store, limits=self.limits, publisher=self._publisher, words=self.words, home=self.home
        )
        self.notifications = Notifications(store=self.store, limits=self.limits, home=self.home, tell=self._notify)

    def _tend(self) -> None:
        """Do what is to be done now and then; called at each pulse."""
        self.uploads.tick()
        self.progresses.tick()

    def _part(self) -> None:
        """Say what is left undone here."""
        self.progresses.drain()

    async def _leave(self) -> None:
        """Note what is left undone here."""
        await self.progresses.leave()

    # What takes long

    def progress(
        self,
        topic: str | Topic,
        title: str,
        *,
        total: float | None = None,
        cancel: Literal["owner", "all"] | None = "owner",  # who may
        toast: bool = True,  # tell its owner, on any page, how it has ended
        user: User | str | None = None,  # whose it is; whoever makes the current request, where not given
        lang: str | None = None,  # of that toast
    ) -> Progress:
        """Return something that takes long, to be done in its `async with` block, in threads `with`: everybody on `topic`
        sees how far it is. Raised for arguments that no page could show: `BadTopic`, `BadOperation`.
        """
        name, now = topic.name if isinstance(topic, Topic) else topic, self.store.clock()
        record = planned(name, title, total=total, cancel=cancel, toast=toast, now=now)
        return Progress(self.progresses, owned(record, self.identity, self.words, current(self), user, lang))

    def running(self, topic: str | Topic) -> Eventual[list[Record]]:
        """Return what runs on a topic, and what has ended in the last ten minutes, the first begun first."""
        state, name = current(self), topic.name if isinstance(topic, Topic) else check_topic(topic)
        owner = ""
        if state is not None:
            self.identity.speak(state)
            owner = self.identity.owner(state)
        return Eventual(self.progresses.running(name, owner), self.home)

    # Forms that are being filled in

    def errors(self, found: object) -> Errors:
        """Return what is wrong with a form as field → texts, of a dict, `form.errors` or a validator's exception.

        Raised for anything else: `ConfigurationError`.
        """
        return errors_of(found)

    def validation(
        self, request: object, errors: object = None, *, lang: str | None = None, make: Make | None = None
    ) -> Any:
        """Return the answer to a live check, or to a form sent by htmx that has `errors`; None where the route goes on.

        Call it before the route does anything: a check is a POST to the same address. It answers as Starlette, Flask or
        Quart do, else with what `make(body, status=…, headers=…)` makes.
        """
        state = self._request("rt.validation()")
        language = lang or self.words.choose(state.header(b"accept-language") or "")

        def title(n: int) -> str:
            return self.words.say(language, "field-error.summary", n=n)

        return answer(state, request, errors_of(errors), title=title, make=make)

    def _request(self, what: str) -> RequestState:
        raise NotImplementedError

    def _notify(self, user_id: str, args: dict[str, Any]) -> None:
        """Tell all pages of a person that their notifications have changed."""
        body = {"name": "notes", "args": args}
        self._publisher.send(user_topic(user_id), protocol.CALL, body, state="notes", after=None)
