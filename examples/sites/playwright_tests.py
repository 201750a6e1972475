"""The tests as plain Playwright. Each takes a page whose context has the base URL of the sites."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from playwright.async_api import Dialog, Error, Page, expect

from examples.sites.state import PASSWORD

FILES = Path(__file__).parent / "cases" / "files"


async def add_item(page: Page) -> None:
    """A new item is in the table, and in the total."""
    await page.goto("/inventory")
    await page.get_by_label("Name").fill("Scale")
    await page.get_by_label("Price").fill("19.95")
    await page.get_by_role("button", name="Add item").click()
    await expect(page.get_by_role("row", name="Scale")).to_contain_text("€19.95")
    await expect(page.get_by_role("status")).to_have_text("4 items, total €142.95")


async def edit_item(page: Page) -> None:
    """A new price is in the row of its item, and still there after a reload."""
    await page.goto("/inventory")
    row = page.get_by_role("row").filter(has_text="Kettle")
    await row.get_by_role("button", name="Edit").click()
    await row.get_by_label("New price").fill("31.50")
    await row.get_by_role("button", name="Save").click()
    await expect(row).to_contain_text("€31.50")
    await page.reload()
    await expect(row).to_contain_text("€31.50")


async def delete_item(page: Page) -> None:
    """A confirmed deletion removes this item alone, for good."""
    await page.goto("/inventory")
    page.once("dialog", Dialog.accept)
    await page.get_by_role("row").filter(has_text="Cup").get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("cell", name="Cup")).to_have_count(0)
    await expect(page.get_by_role("cell", name="Kettle")).to_be_visible()
    await page.reload()
    await expect(page.get_by_role("cell", name="Kettle")).to_be_visible()
    await expect(page.get_by_role("cell", name="Cup")).to_have_count(0)


async def sign_in(page: Page) -> None:
    """A wrong password is refused, the right one opens the account, and signing out closes it."""
    await page.goto("/login")
    await page.get_by_label("User").fill("ann")
    await page.get_by_label("Password").fill("wrong")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_have_text("Wrong user or password.")
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading")).to_have_text("Welcome, ann")
    await page.get_by_role("button", name="Sign out").click()
    await page.wait_for_url("**/login")
    await page.goto("/account")
    await expect(page.get_by_role("button", name="Sign in")).to_be_visible()


async def stay_signed_in(page: Page) -> None:
    """A session that the API began holds on every page, and after a reload."""
    await page.request.post("/api/login", data={"user": "ann", "password": PASSWORD})
    await page.goto("/account")
    await expect(page.get_by_role("heading")).to_have_text("Welcome, ann")
    await page.get_by_role("link", name="Profile").click()
    await expect(page.get_by_test_id("user")).to_have_text("ann")
    await page.reload()
    await expect(page.get_by_test_id("user")).to_have_text("ann")


async def place_order(page: Page) -> None:
    """Going back keeps what was entered, and the summary shows it."""
    await page.goto("/checkout")
    await page.get_by_label("Name").fill("Ann")
    await page.get_by_label("Email").fill("ann@example.org")
    await page.get_by_role("button", name="Next").click()
    await page.get_by_label("Express").check()
    await page.get_by_role("button", name="Back").click()
    await expect(page.get_by_label("Name")).to_have_value("Ann")
    await page.get_by_role("button", name="Next").click()
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_test_id("summary")).to_have_text("Ann, ann@example.org, Express")
    await page.get_by_role("button", name="Place order").click()
    await expect(page.get_by_role("status")).to_have_text("Order placed for Ann")


async def refuse_bad_email(page: Page) -> None:
    """The wizard stays at its first step, and says why."""
    await page.goto("/checkout")
    await page.get_by_label("Name").fill("Ann")
    await page.get_by_label("Email").fill("ann.example.org")
    await page.get_by_role("button", name="Next").click()
    await expect(page.get_by_role("alert")).to_have_text("Enter a valid email address.")
    await expect(page.get_by_label("Express")).to_be_hidden()


async def search_products(page: Page) -> None:
    """A search ignores case, and says when it finds nothing."""
    await page.goto("/catalog")
    await page.get_by_label("Search").fill("ESPRESSO")
    await expect(page.get_by_role("status")).to_have_text("2 products")
    await expect(page.get_by_role("listitem")).to_have_count(2)
    await page.get_by_label("Search").fill("chocolate")
    await expect(page.get_by_role("status")).to_have_text("Nothing matches your search.")


async def filter_and_sort(page: Page) -> None:
    """Only the category is listed, from the lowest price."""
    await page.goto("/catalog")
    await page.get_by_label("Category").select_option("Coffee")
    await page.get_by_label("Sort by").select_option("Price")
    entries = page.get_by_role("listitem")
    await expect(entries).to_have_count(3)
    await expect(entries.first).to_have_text("Decaf espresso €8")
    await expect(entries.last).to_have_text("Lungo €12")


async def upload_file(page: Page) -> None:
    """An uploaded file is listed with its size."""
    await page.goto("/files")
    await page.get_by_label("File").set_input_files(FILES / "letter.txt")
    await page.get_by_role("button", name="Upload").click()
    size = (FILES / "letter.txt").stat().st_size
    await expect(page.get_by_role("listitem")).to_have_text(f"letter.txt ({size} bytes)")


async def download_export(page: Page) -> None:
    """The export has its name, a header and the items."""
    await page.goto("/files")
    async with page.expect_download() as started:
        await page.get_by_role("link", name="Export as CSV").click()
    download = await started.value
    assert download.suggested_filename == "inventory.csv"
    assert (await download.path()).read_text().startswith("name,price\nCup,4.5\n")


async def rename_folder(page: Page) -> None:
    """A dismissed prompt changes nothing; an accepted one renames."""
    await page.goto("/messages")
    page.once("dialog", Dialog.dismiss)
    await page.get_by_role("button", name="Rename").click()
    await expect(page.get_by_role("heading")).to_have_text("Inbox")
    page.once("dialog", _answer_archive)
    await page.get_by_role("button", name="Rename").click()
    await expect(page.get_by_role("heading")).to_have_text("Archive")


async def _answer_archive(dialog: Dialog) -> None:
    await dialog.accept("Archive")


async def confirm_report(page: Page) -> None:
    """A report that is confirmed in its own tab is confirmed in the first one."""
    await page.goto("/messages")
    async with page.expect_popup() as opened:
        await page.get_by_role("link", name="Open report 7").click()
    report = await opened.value
    await expect(report.get_by_role("heading")).to_have_text("Report 7")
    with suppress(Error):  # the click closes the tab: Playwright may see that first, and says that the click failed
        await report.get_by_role("button", name="Confirm").click()
    await expect(page.get_by_role("status")).to_have_text("Report 7 was confirmed")


async def show_seeded_order(page: Page) -> None:
    """An order made by the API is listed with its own amount and status."""
    made = await page.request.post("/api/orders", data={"customer": "Ann", "amount": 30})
    order = await made.json()
    await page.goto("/orders")
    entry = page.get_by_test_id(f"order-{order['id']}")
    await expect(entry).to_contain_text("for Ann: €30")
    await expect(entry).to_contain_text("open")
    await page.request.delete(f"/api/orders/{order['id']}")


async def mark_order_paid(page: Page) -> None:
    """Marking an order as paid on the page changes it in the API."""
    made = await page.request.post("/api/orders", data={"customer": "Ann", "amount": 30})
    order = await made.json()
    await page.goto("/orders")
    entry = page.get_by_test_id(f"order-{order['id']}")
    await entry.get_by_role("button", name="Mark as paid").click()
    await expect(entry.locator("strong")).to_have_text("paid")
    stored = await (await page.request.get(f"/api/orders/{quote(str(order['id']))}")).json()
    assert (stored["status"], stored["amount"]) == ("paid", 30)


async def apply_discount(page: Page) -> None:
    """Ten percent from 100 on."""
    for amount, code, price in (("99.50", "TEN", "99.50"), ("100", "TEN", "90.00"), ("100", "NONE", "100.00")):
        await page.goto("/discount")
        await page.get_by_label("Amount").fill(amount)
        await page.get_by_label("Code").fill(code)
        await page.get_by_role("button", name="Calculate").click()
        await expect(page.locator("output")).to_have_text(price)


async def pay_by_card(page: Page) -> None:
    """An expired card is refused in its frame; a valid one pays on the page."""
    await page.goto("/payment")
    card = page.frame_locator("iframe[title=Card]")
    await card.get_by_label("Number").fill("4111 1111 1111 1234")
    await card.get_by_label("Valid until").fill("2020")
    await card.get_by_role("button", name="Pay").click()
    await expect(card.get_by_role("alert")).to_have_text("The card has expired.")
    await expect(page.get_by_role("status")).to_have_text("Not paid")
    await card.get_by_label("Valid until").fill("2030")
    await card.get_by_role("button", name="Pay").click()
    await expect(page.get_by_role("status")).to_have_text("Paid with card ending in 1234")


async def finish_card(page: Page) -> None:
    """A card that is dragged to Done is there alone."""
    await page.goto("/board")
    done = page.get_by_role("region", name="Done")
    await page.get_by_text("Write tests").drag_to(done)
    await expect(done.get_by_role("listitem")).to_have_text(["Write tests"])
    await expect(page.get_by_role("region", name="To do").get_by_role("listitem")).to_have_count(1)
    await expect(done.get_by_role("heading")).to_have_text("Done (1)")


async def wait_for_export(page: Page) -> None:
    """An export ends after some time; the page shows it when it is loaded again."""
    await page.goto("/jobs")
    await page.get_by_role("button", name="Start export").click()
    await expect(page.get_by_test_id("state")).to_have_text("running")
    for _ in range(6):
        await page.reload()
        await expect(page.get_by_test_id("state")).not_to_be_empty()
        if await page.get_by_test_id("state").text_content() == "done":
            break
    await expect(page.get_by_test_id("state")).to_have_text("done")


async def open_menu(page: Page) -> None:
    """A small page hides its links behind a button; a large one shows them."""
    await page.goto("/menu")
    prices = page.get_by_role("link", name="Prices")
    await expect(prices).to_be_visible()
    await expect(page.get_by_role("button", name="Menu")).to_be_hidden()
    await page.set_viewport_size({"width": 400, "height": 800})
    await expect(prices).to_be_hidden()
    await page.get_by_role("button", name="Menu").click()
    await expect(prices).to_be_visible()
