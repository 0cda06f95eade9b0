"""Macros of uploads."""

from __future__ import annotations

import json

from markupsafe import Markup

from .. import protocol
from ..scribe import Scribe
from ..topics import plain_or_hashed
from ..upload_forms import shown
from ..uploads import Uploads


class FileMacros(Scribe):
    """Uploads."""

    uploads: Uploads

    def file_input(
        self,
        name: str,
        *,
        accept: str = "",  # ".csv,image/*"; nothing for all files
        max_size: int | str = "20 MB",  # of one file
        max_files: int = 10,
        multiple: bool = True,
        required: bool = False,
        label: str | None = None,
        id: str | None = None,
    ) -> Markup:
        """Return a field for files, which are sent before the form is; `rt.uploads.consume(form, name)` takes them.

        Where no script runs it is a plain field: the form needs `enctype="multipart/form-data"`.
        """
        state = self._state("rt.file_input()")
        user = self._who(state)
        policy = self.uploads.rules(name, accept, max_size, max_files if multiple else 1)
        return self._render(
            "upload/field.html", field=name, hidden=protocol.UPLOAD_FIELD + name,
            id=id or f"rt-upload-{plain_or_hashed(name.replace(':', '-'))}".replace(".", "-"),
            token=self.uploads.sign(self._identity.owner(state), policy, person=user is not None),
            accept=",".join(policy.accept), kinds=", ".join(_kind(part) for part in policy.accept),
            most=policy.max_files, max_size=policy.max_size, size=shown(policy.max_size), required=required, label=label,
            words=json.dumps(self._words.all(state.lang, "upload."), ensure_ascii=False, separators=(",", ":")),
        )  # fmt: skip


def _kind(part: str) -> str:
    """Return a part of `accept` as a hint says it."""
    return part.removeprefix(".").upper() if part.startswith(".") else part.removesuffix("/*")
