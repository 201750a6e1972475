// Keeps a page fresh in place. Without it the page reloads itself.
"use strict";
const main = document.querySelector("main");
let asked = false;

async function refresh() {
  if (asked || document.hidden) return;
  asked = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.redirected) return location.reload();
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    main.innerHTML = fresh.querySelector("main").innerHTML;
    document.title = fresh.title;
  } catch { // the service is unavailable: the next round tries again
  } finally {
    asked = false;
  }
}

if (main.dataset.every) setInterval(refresh, Number(main.dataset.every));

if (main.dataset.events) {
  const source = new EventSource(main.dataset.events);
  let due = null;
  source.addEventListener("progress", (event) => {
    const report = JSON.parse(event.data);
    const bar = main.querySelector("progress");
    const said = main.querySelector("#said");
    if (bar) report.percentage === null ? bar.removeAttribute("value") : (bar.value = report.percentage);
    if (said) said.textContent = report.message;
    if (!["queued", "running"].includes(report.status)) {
      source.close();
      clearTimeout(due);
      setTimeout(() => location.reload(), 300); // the last rows are written before the last report
    } else if (due === null) {
      due = setTimeout(() => { due = null; refresh(); }, 700);
    }
  });
}
