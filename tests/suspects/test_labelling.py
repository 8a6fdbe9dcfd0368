"""The page on which somebody notes what an app says, in a real browser, up to the verdict."""

import csv
import time

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from nf.cli.images import images as write_images
from nf.core.controls import Controls
from nf.core.queries import QuerySet
from nf.suspects import CsvSuspect, Interface, examine, images_to_ask, write_labelling_page

RNG = np.random.default_rng(0)


@pytest.fixture
def asked():
    """Twelve classes, so that some numbers have two digits."""
    images = RNG.integers(0, 256, (24, 3, 8, 8), dtype=np.uint8)
    labels = np.arange(24) % 12
    controls = Controls(RNG.integers(0, 256, (24, 3, 8, 8), dtype=np.uint8), labels, tuple(f"<{n}>" for n in range(12)))
    card = {"scheme": "naturalfinger", "threshold": 0.6, "num_classes": 12}
    return QuerySet(images, labels, (labels + 1) % 12, card, controls=controls)


@pytest.mark.browser
def test_from_a_query_set_to_a_page_to_a_table_to_a_verdict(browser, asked, tmp_path):
    asked.save(tmp_path / "queries")
    arguments = [str(tmp_path / "queries"), str(tmp_path / "pictures"), "--sheet", "--controls", "12"]
    assert CliRunner().invoke(write_images, arguments, catch_exceptions=False).exit_code == 0
    pictures = {path.name: np.asarray(Image.open(path)) for path in (tmp_path / "pictures").glob("*.png")}
    assert len(pictures) == 36

    known = zip([*asked.images, *asked.controls.images], [*asked.labels, *asked.controls.labels], strict=True)
    label_of = {image.transpose(1, 2, 0).tobytes(): str(label) for image, label in known}
    wanted = {name: label_of[pixels.tobytes()] for name, pixels in pictures.items()}

    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    browser.get((tmp_path / "pictures/sheet.html").as_uri())
    assert browser.find_elements(By.CSS_SELECTOR, "[data-label]")[3].text == "3 <3>"
    body = browser.find_element(By.TAG_NAME, "body")
    for number in range(len(wanted)):
        name = browser.find_element(By.ID, "image").get_attribute("alt")
        label = wanted[name]
        if number % 2:
            browser.find_element(By.CSS_SELECTOR, f"[data-label='{label}']").click()
        else:
            body.send_keys(label + (Keys.ENTER if label == "1" else ""))
    assert "36 answered" in browser.find_element(By.ID, "status").text
    assert browser.get_log("browser") == []

    browser.refresh()
    assert "36 answered" in browser.find_element(By.ID, "status").text
    browser.find_element(By.ID, "export").click()
    table = tmp_path / "answers.csv"
    deadline = time.monotonic() + 20
    while not (table.exists() and table.read_bytes().endswith(b"\n")) and time.monotonic() < deadline:
        time.sleep(0.1)  # the file may be there before what is in it
    with table.open(newline="") as file:
        assert dict(list(csv.reader(file))[1:]) == wanted
    examined = examine(CsvSuspect(table, how=Interface()), asked)
    assert examined.answers.labels.tolist() == asked.labels.tolist()
    assert (examined.found.right, examined.found.controls) == (12, 12)


@pytest.mark.browser
def test_keys_go_back_and_correct_and_say_none_of_these(browser, asked, tmp_path):
    write_labelling_page(tmp_path / "sheet.html", asked.images[:3], 12, key="keys")
    browser.get((tmp_path / "sheet.html").as_uri())
    body = browser.find_element(By.TAG_NAME, "body")
    body.send_keys("4", "x", Keys.ARROW_LEFT, Keys.ARROW_LEFT, "1", Keys.ENTER, Keys.ARROW_RIGHT, "11")
    lines = browser.execute_script("return csv()").splitlines()
    assert [line.partition(",")[2] for line in lines] == ["label", "1", "other", "11"]
    (tmp_path / "answers.csv").write_text("\n".join(lines))
    raw, how = CsvSuspect(tmp_path / "answers.csv").answers(asked.images[:3], Interface())
    assert (list(raw), how.kind) == ([[("1", 1.0)], [], [("11", 1.0)]], "top-k")


def test_controls_stand_anywhere_among_the_queries(asked):
    together = images_to_ask(asked, 16)
    assert len(together) == 40
    own = {image.tobytes() for image in asked.controls.images[:16]}
    places = [place for place, image in enumerate(together) if image.tobytes() in own]
    assert len(places) == 16
    assert places[0] < 10
    assert places[-1] > 30
    assert images_to_ask(asked, 0) is asked.images
