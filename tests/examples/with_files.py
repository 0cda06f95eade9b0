"""Forms with files, as a browser without scripts sends them."""

from collections.abc import Mapping

from htmx_rt.testing import Browser, Page

EDGE = "----edge-of-a-part"


async def send(
    browser: Browser,
    page: Page,
    path: str,
    field: str,
    files: Mapping[str, bytes],
    *,
    htmx: bool = False,
    **fields: str,
) -> Page:
    """Send a form of `page` with files in one of its fields."""
    policy = page.select(f'[name="rt-upload.{field}"]')[0]
    values = fields | {str(policy["name"]): str(policy["value"])}
    parts = [
        f'--{EDGE}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in values.items()
    ]
    body = "".join(parts).encode()
    for name, content in files.items():
        head = f'--{EDGE}\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        body += f"{head}Content-Type: application/octet-stream\r\n\r\n".encode() + content + b"\r\n"
    kind = {"content-type": f"multipart/form-data; boundary={EDGE}"}
    return await browser.request(
        "POST", path, body + f"--{EDGE}--\r\n".encode(), page=page if htmx else None, headers=kind
    )
