"""What a person typed, and where they were in it, over pushes and answers."""

from __future__ import annotations

from .byhand import Kit


def test_push_keeps_text_caret_and_focus(kit: Kit) -> None:
    form = '<form id="form"><input id="title" value="old"><textarea name="note">n</textarea><b>{}</b></form>'
    kit.open(f'<div id="box" rt-stream="board:7">{form.format(1)}</div>')
    kit.page.fill("textarea", "half a th")
    kit.page.fill("#title", "my own words")
    kit.page.evaluate("title.setSelectionRange(3, 6); window.field = title")
    for verb, target, html in [
        ("replace", "#form", form.format(2)),
        ("update", "#box", form.format(3).replace("old", "new")),
    ]:
        kit.push([verb, target, html])
        assert kit.page.evaluate(
            "[title === field, document.activeElement === field, field.value, field.selectionStart, field.selectionEnd]"
        ) == [True, True, "my own words", 3, 6]
        assert kit.page.input_value("textarea") == "half a th"
    assert kit.texts("#form b") == ["3"]
    assert kit.page.evaluate("title.defaultValue") == "new"


def test_swap_by_htmx_keeps_what_was_typed(kit: Kit) -> None:
    fields = (
        '<input id="title"><textarea name="note"></textarea><input type="checkbox" name="ok">'
        '<select name="s"><option>x</option><option>y</option></select>'
    )
    kit.open(
        f'<div id="box">{fields}</div><button id="go" hx-get="/box" hx-target="#box" hx-trigger="mousedown">R</button>'
    )
    kit.page.fill("textarea", "note")
    kit.page.check("input[name=ok]")
    kit.page.select_option("select", "y")
    kit.page.fill("#title", "typed")
    kit.ask("#go", "/box")
    kit.page.focus("#title")
    kit.page.evaluate("title.setSelectionRange(1, 2)")
    kit.answer("/box", fields)
    assert kit.page.evaluate(
        "[title.value, document.activeElement.id, title.selectionStart, title.selectionEnd,"
        "document.querySelector('textarea').value, document.querySelector('[name=ok]').checked,"
        "document.querySelector('select').value]"
    ) == ["typed", "title", 1, 2, "note", True, "y"]


def test_answer_to_a_form_may_empty_it(kit: Kit) -> None:
    form = '<form id="form" hx-post="/add" hx-swap="outerHTML"><input name="title"><button id="go">Add</button></form>'
    kit.open(form)
    kit.page.fill("input", "sent")
    kit.ask("#go", "/add")
    kit.answer("/add", form)
    assert kit.page.input_value("input") == ""
    kit.page.fill("input", "sent")
    kit.ask("#go", "/add")
    kit.page.fill("input", "typed after sending")
    kit.answer("/add", form)
    assert kit.page.input_value("input") == "typed after sending"


def test_composition_is_not_disturbed(kit: Kit) -> None:
    kit.open('<div id="box" rt-stream="board:7"><input id="title"></div><p id="p" rt-stream="board:7">1</p>')
    kit.page.focus("#title")
    session = kit.page.context.new_cdp_session(kit.page)
    session.send("Input.imeSetComposition", {"text": "にほ", "selectionStart": 2, "selectionEnd": 2})
    kit.page.evaluate("kit.send(['reset', '#box', '<input id=title>'])")
    kit.page.evaluate("kit.send(['text', '#p', '2'])")
    kit.page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert kit.page.input_value("#title") == "にほ"
    kit.page.evaluate("void kit.events.on('applied', () => window.applied = true)")
    session.send("Input.insertText", {"text": "日本"})
    kit.page.wait_for_function("window.applied")
    assert (kit.page.input_value("#title"), kit.texts("#p")) == ("", ["2"])


def test_a_push_leaves_what_was_emptied_and_unchecked(kit: Kit) -> None:
    form = '<form id="form"><input id="title" value="old"><input type="checkbox" name="ok" checked><b>{}</b></form>'
    kit.open(
        f'<div id="box" rt-stream="board:7">{form.format(1)}</div><button id="go" hx-get="/box" hx-target="#box">R</button>'
    )
    kit.page.fill("#title", "")
    kit.page.uncheck("[name=ok]")
    kit.push(["replace", "#form", form.format(2)])
    state = "[title.value, document.querySelector('[name=ok]').checked]"
    assert (kit.page.evaluate(state), kit.texts("#form b")) == (["", False], ["2"])
    kit.ask("#go", "/box")
    kit.answer("/box", form.format(3), at=1)
    assert (kit.page.evaluate(state), kit.texts("#form b")) == (["", False], ["3"])


def test_what_nobody_touched_follows_the_page(kit: Kit) -> None:
    form = (
        '<form id="form"><input id="title" value="{0}"><input type="checkbox" name="ok" {1}><textarea name="t">{0}</textarea>'
        '<select name="s"><option>x</option><option {2}>y</option></select></form>'
    )
    kit.open(f'<div id="box" rt-stream="board:7">{form.format("old", "checked", "")}</div>')
    kit.push(["replace", "#form", form.format("new", "", "selected")])
    assert kit.page.evaluate(
        "[title.value, document.querySelector('[name=ok]').checked, document.querySelector('textarea').value,"
        "document.querySelector('select').value]"
    ) == ["new", False, "new", "y"]
