"""Operations of the stream, as a person sees them, on htmx 4 and htmx 2."""

from __future__ import annotations

from .byhand import NEW, ROWS, Kit, stream


def test_table_rows_and_options_are_parsed_as_such(kit: Kit) -> None:
    kit.open('<table><tbody id="rows" rt-stream="board:7"></tbody></table><select id="s" rt-stream="board:7"></select>')
    kit.push(
        ["append", "#rows", '<tr id="r1"><td>one</td></tr><tr id="r2"><td>two</td></tr>'],
        ["append", "#s", '<option id="o1">yes</option>'],
    )
    assert kit.texts("#rows > tr > td") == ["one", "two"]
    assert kit.page.evaluate("s.options.length") == 1


def test_a_thousand_operations_in_one_frame(kit: Kit) -> None:
    rows = "".join(f'<tr id="r{n}" rt-version="1"><td>{n}</td></tr>' for n in range(200))
    kit.open(f'<table><tbody id="rows" rt-stream="board:7">{rows}</tbody></table>')
    ops = [
        ["replace", f"#r{n % 200}", f'<tr id="r{n % 200}" rt-version="{n + 2}"><td>n{n}</td></tr>'] for n in range(1000)
    ]
    spent = kit.page.evaluate(
        "async ops => { for (const op of ops) kit.send(op); const begin = performance.now(); kit.apply.flush();"
        "return performance.now() - begin }",
        ops,
    )
    assert kit.texts("#rows td") == [f"n{800 + n}" for n in range(200)]
    print(f"1 000 operations: {spent:.0f} ms")
    assert spent < 500  # 27 to 70 ms where nothing else runs


def test_operations_stay_inside_their_topic(kit: Kit) -> None:
    kit.open('<p class="n" rt-stream="board:7">1</p><p class="n" rt-stream="board:8">1</p><p class="n">1</p>')
    kit.push(["text", ".n", "2"])
    assert kit.texts(".n") == ["2", "1", "1"]


def test_sorted_list_and_versions_undo_a_wrong_order_of_publishing(kit: Kit) -> None:
    kit.open(stream("", more='rt-sort="data-pos"'))
    for pos, version in [(10, 1), (9, 1), (30, 2)]:
        kit.push(["append", "#list", f'<li id="i{pos}" data-pos="{pos}" rt-version="{version}">{pos}</li>'])
    kit.push(["replace", "#i30", '<li id="i30" data-pos="1" rt-version="1">old</li>'])
    assert kit.texts("#list li") == ["9", "10", "30"]


def test_a_list_keeps_at_most_its_limit_and_leaves_islands_alone(kit: Kit) -> None:
    kit.open(stream(ROWS, more='rt-limit="2"') + '<div id="box" rt-stream="board:7"><i id="k" rt-keep>mine</i></div>')
    kit.push(["append", "#list", NEW], ["update", "#box", '<i id="k" rt-keep>theirs</i><b>x</b>'])
    assert (kit.texts("#list li"), kit.texts("#k"), kit.texts("#box b")) == (["B", "C"], ["mine"], ["x"])


def test_a_number_used_again_after_a_removal_is_a_new_row(kit: Kit) -> None:
    kit.open(stream('<li id="a" rt-version="3">A</li>'))
    kit.push(["remove", "#a"])
    kit.push(["append", "#list", '<li id="a" rt-version="1">new</li>'])
    assert kit.texts("#list li") == ["new"]


def test_pushed_htmx_attributes_work(kit: Kit) -> None:
    kit.open(stream("") + '<div id="out"></div>')
    kit.push(["append", "#list", '<li id="a"><button id="go" hx-get="/one" hx-target="#out">x</button></li>'])
    kit.push(["replace", "#a", '<li id="a"><button id="go" hx-get="/two" hx-target="#out">x</button></li>'])
    kit.ask("#go", "/two")
    kit.answer("/two", "done")
    assert kit.texts("#out") == ["done"]
