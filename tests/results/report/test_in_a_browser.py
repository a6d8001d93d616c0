"""The page in a real browser: quiet, self-contained, sortable, and no wider than the window."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vtbench.results.html import page as to_page
from vtbench.results.report.page import to_html
from vtbench.results.tables import tabulate


@pytest.fixture(scope="module")
def page(tmp_path_factory, records, report_of):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(to_html(report_of(records)), encoding="utf-8")
    return path


def methods_shown(browser):
    return browser.ask(
        "[...document.querySelectorAll('.vtbench-table tbody.method tr')]"
        ".map(row => row.dataset.method)"
    )


def press(browser, column):
    browser.ask(f"document.querySelector('th[data-column={column}] button').click()")


def test_nothing_is_complained_of_and_nothing_is_fetched(browser, page):
    browser.open(page)
    browser.ask("document.querySelectorAll('details').forEach(d => d.open = true)")

    assert browser.complaints == []
    assert browser.fetched == [page.resolve().as_uri()]
    shown = "Promise.all([...document.images].map(i => (i.loading = 'eager', i.decode())))"
    browser.ask(f"{shown}.then(() => true)")
    assert browser.ask("[...document.images].every(i => i.naturalWidth)")


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_the_page_is_never_wider_than_the_window(browser, page, width):
    browser.open(page, width)
    for state in ("false", "true"):
        browser.ask(f"document.querySelectorAll('details').forEach(d => d.open = {state})")
        assert browser.ask("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [390, 1280])
def test_a_wide_table_scrolls_in_its_own_frame_and_its_notes_do_not(
    browser, tmp_path, records, width
):
    table = tabulate(records, per_axis=True, published=True)
    many = replace(table, columns=table.columns * 6, rows=[
        replace(row, cells=row.cells * 6) for row in table.rows])  # fmt: skip
    path = tmp_path / "table.html"
    path.write_text(to_page(many, ["linear probes " * 40]), encoding="utf-8")
    browser.open(path, width)

    assert browser.ask("document.documentElement.scrollWidth") <= width
    frame = "document.querySelector('.wide')"
    assert browser.ask(f"{frame}.scrollWidth > {frame}.clientWidth")
    assert browser.ask("document.querySelector('.notes').closest('.wide')") is None
    caption = browser.ask("document.querySelector('caption span').getBoundingClientRect().width")
    assert caption <= width


def test_a_click_sorts_the_best_first_then_the_worst_then_as_before(browser, page):
    browser.open(page)
    before = methods_shown(browser)
    press(browser, "shape_top1")
    best = methods_shown(browser)
    told = browser.ask("document.querySelector('th[data-column=shape_top1]').ariaSort")
    press(browser, "shape_top1")
    worst = methods_shown(browser)
    press(browser, "shape_top1")

    assert best == ["sarl", "byol", "simclr"]
    assert told == "descending"
    assert worst == best[::-1]
    assert methods_shown(browser) == before


def test_sorting_leaves_empty_cells_last_and_the_reference_apart(browser, page):
    browser.open(page)
    for _ in range(2):
        press(browser, "force_mae")
        assert methods_shown(browser)[-1] == "simclr"
    reference = "document.querySelector('.vtbench-table tbody').className"
    assert browser.ask(reference) == "reference"


def test_a_number_leads_to_its_cell_and_opens_it(browser, page):
    browser.open(page)
    cell = browser.ask(
        "(() => { const a = document.querySelector('tr[data-method=byol] td a'); a.click();"
        " return a.hash.slice(1); })()"
    )
    browser.ask("new Promise(r => setTimeout(r, 50))")
    opened = f"document.getElementById('{cell}')"

    assert browser.ask(f"{opened}.open && {opened}.closest('details.method').open")
    assert browser.ask(f"{opened}.dataset.method") == "byol"


def test_print_shows_what_is_folded_away(browser, page):
    browser.open(page)

    assert browser.printed().startswith(b"%PDF")
    browser.ask("dispatchEvent(new Event('beforeprint'))")
    assert browser.ask("[...document.querySelectorAll('details')].every(d => d.open)")
    browser.ask("dispatchEvent(new Event('afterprint'))")
    assert not browser.ask("[...document.querySelectorAll('details')].some(d => d.open)")


def contrast(first, second):
    def light(colour):
        parts = [int(part) / 255 for part in colour]
        linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((light(first), light(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(browser, page, scheme):
    browser.open(page)
    browser.call(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
    )
    colours = {
        name: browser.ask(
            "(() => { const e = document.createElement('i'); document.body.append(e);"
            f" e.style.color = 'var(--{name})'; const c = getComputedStyle(e).color; e.remove();"
            " return c.match(/[0-9.]+/g).slice(0, 3); })()"
        )
        for name in ("back", "card", "text", "quiet", "link", "good", "bad", "odd")
    }
    for ground in ("back", "card"):
        for name in ("text", "quiet", "link", "good", "bad", "odd"):
            assert contrast(colours[name], colours[ground]) >= 4.5, (scheme, ground, name)
