from __future__ import annotations

import random
import time

import pytest

from htmx_rt.exceptions import BadOperation
from htmx_rt.fragments import _all_roots, _only_root, check_roots


@pytest.mark.parametrize(
    "html",
    [
        '<li id="a">x</li>',
        "<li id=a>x</li>",
        "<li id='a'>x",
        '<LI ID="a">x</LI>',
        ' \n<li id="a">x</li>\n <li id="b">y</li>\n',
        '<li id="a">x<li id="b">y',
        '<tr id="a"><td>1<td>2</tr><tr id="b"><td>3</tr>',
        '<!-- a comment --><li id="a">x</li><!-- <li> -->',
        '<input id="a"><br id="b"><li id="c">',
        '<li id="a"/>x</li>',
        '<li title="a > b" id="a"><p>no id</p></li>',
        '<li id="a"><ul><li>nested</li></ul></li>',
        '<li id="a"><script>if (a < b) "</li>"</script></li>',
        '<li id="a"><textarea><b></textarea></li>',
        '<svg id="a"><path/><g><path/></g></svg>',
        '<li class=x\n\tid = "a"\n>x</li>',
        "<li title=it's id=a>x</li>",
        '<x-row id="a"></x-row>',
        '<li class="x"id="a">x</li>',
        '<!--><li id="a">x</li>',
    ],
)
def test_roots_with_ids_pass(html: str) -> None:
    check_roots("append", html)


@pytest.mark.parametrize(
    ("html", "what"),
    [
        ("<li>x</li>", "without an id"),
        ('<li id="">x</li>', "without an id"),
        ("<li id>x</li>", "without an id"),
        ('<li data-id="a">x</li>', "without an id"),
        ('<li title=" id=a ">x</li>', "without an id"),
        ('<li id="a">x</li><li>y</li>', "without an id"),
        ('<li id="a">x<li>y', "without an id"),
        ('<input id="a"><p>x</p>', "without an id"),
        ("", "no element"),
        ("  \n", "no element"),
        ("<!-- only this -->", "no element"),
        ("just text", "text outside"),
        ("&lt;li&gt;", "text outside"),
        ('<li id="a">x</li> and more', "text outside"),
        ('and <li id="a">x</li>', "text outside"),
    ],
)
def test_what_pages_could_not_recognise_is_refused_with_the_cure(html: str, what: str) -> None:
    with pytest.raises(BadOperation, match=what) as caught:
        check_roots("append", html)
    assert '<li id="task-7">' in str(caught.value)


@pytest.mark.parametrize(
    "piece",
    [
        "<!--",
        "<",
        "<a ",
        "<a b=",
        '<a b="',
        "</",
        "<?",
        "<![CDATA[",
        "<p id=x",
        "<script>",
        "&",
        '<a "',
        "<b></i>",
        "<title>",
    ],
)
def test_malformed_html_costs_no_more_than_its_length(piece: str) -> None:
    html = '<li id="a">' + piece * (120_000 // len(piece))
    began = time.perf_counter()
    check_roots("append", html)
    assert time.perf_counter() - began < 1.0  # half a minute, where each piece looks at all that follow


_PIECES = (
    "<li>", '<li id="a">', "<LI>", "</li>", "</Li>", "</li >", "<li/>", "</lix>", "<p>", "</p>", "<b class='</li>'>", "</b>", "<br>",
    "<input id=x>", "</input>", "<textarea>", "</textarea>", "<script>", "</script>", "<!--", "-->", "<!x>", "</", "<", ">", "text",
    " ", '"', "<svg id=x/>", "<li ", "<ak>", "</ak>", "</a\u212a>", "</xi\u0307>",
)  # fmt: skip


def test_a_root_that_is_plain_to_see_is_the_one_that_is_found_by_looking_at_all() -> None:
    chance, plain = random.Random(7), 0
    for _ in range(30_000):
        inner = "".join(chance.choices(_PIECES, k=chance.randrange(6)))
        name = chance.choice(["li", "p", "br", "textarea", "script", "ak", "x\u0130"])
        html = chance.choice(["", " ", "x"]) + f"<{name} id=r>{inner}</{name}>" + chance.choice(["", "\n", "x", "</b>"])
        only = _only_root(html)
        if only is not None:
            plain += 1
            roots, stray_text = _all_roots(html)
            assert [root.span() for root in roots] == [only.span()], html
            assert stray_text == "", html
    assert plain > 3_000
