"""The page in a real browser, offline. Needs Chromium and its driver, and fails without them."""

import pytest
from selenium.webdriver.common.by import By


@pytest.mark.browser
def test_page_shows_itself_offline_without_errors(browser, full):
    browser.get(full[1].as_uri())
    assert browser.get_log("browser") == []
    fetched = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert all(name.startswith("data:") for name in fetched)

    images = browser.find_elements(By.TAG_NAME, "img")
    assert len(images) == 101
    assert all(browser.execute_script("return arguments[0].naturalWidth", image) > 0 for image in images)

    headings = browser.find_elements(By.CSS_SELECTOR, "h1, h2, h3")
    assert {"Results", "All 154 suspects", "Margins", "What suspects are asked", "The models"} <= {
        heading.text for heading in headings
    }
    assert all(heading.is_displayed() for heading in headings)
    drawings = browser.find_elements(By.CSS_SELECTOR, ".drawing svg")
    assert len(drawings) == 5
    assert all(drawing.size["width"] > 900 and drawing.size["height"] > 150 for drawing in drawings)

    row = browser.find_element(By.CSS_SELECTOR, "details tbody tr")
    assert not row.is_displayed()
    browser.find_element(By.TAG_NAME, "summary").click()
    assert row.is_displayed()


@pytest.mark.browser
def test_comparison_shows_itself_offline_without_errors(browser, comparison):
    browser.get((comparison[1] / "index.html").as_uri())
    assert browser.get_log("browser") == []
    fetched = browser.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    assert all(name.startswith("data:") for name in fetched)
    drawings = browser.find_elements(By.CSS_SELECTOR, ".drawing svg")
    assert len(drawings) == 11
    assert all(drawing.size["width"] > 900 and drawing.size["height"] > 100 for drawing in drawings)
    tiles = browser.find_elements(By.CSS_SELECTOR, "#figure-8-queries svg image")
    assert len(tiles) == 20
    assert all(tile.size["width"] > 30 for tile in tiles)
    table = browser.find_element(By.CSS_SELECTOR, "details table")
    assert not table.is_displayed()
    browser.find_element(By.TAG_NAME, "summary").click()
    assert table.is_displayed()


@pytest.mark.browser
@pytest.mark.parametrize("width", [500, 1280])
@pytest.mark.parametrize("name", ["report", "comparison"])
def test_page_is_as_wide_as_its_window(browser, full, comparison, name, width):
    browser.set_window_size(width, 900)
    browser.get({"report": full[1], "comparison": comparison[1] / "index.html"}[name].as_uri())
    inner, whole = browser.execute_script("return [innerWidth, document.documentElement.scrollWidth]")
    assert whole <= inner


@pytest.mark.browser
def test_figures_follow_the_dark_scheme(browser, full):
    colours = {}
    for scheme in ("light", "dark"):
        browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )
        browser.get(full[1].as_uri())
        colours[scheme] = browser.execute_script(
            "return [document.body, document.querySelector('.drawing svg text')]"
            ".map((element, i) => getComputedStyle(element)[i ? 'fill' : 'backgroundColor'])"
        )
    assert colours["light"][0] == "rgb(255, 255, 255)"
    assert all(light != dark for light, dark in zip(colours["light"], colours["dark"], strict=True))
