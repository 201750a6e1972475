// The shop's behaviour. Every page works without it, apart from what is slow, edited in place or a dialog.
"use strict";

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const money = (cents) => `€${(cents / 100).toFixed(2)}`;

function post(url, fields) {
  return fetch(url, { method: "POST", body: new URLSearchParams(fields) });
}

// Dialogs: openers, closers; Escape is the browser's own.
function dialogs() {
  for (const button of all("[data-open]")) {
    button.addEventListener("click", () => document.getElementById(button.dataset.open).showModal());
  }
  for (const button of all("[data-close]")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
}

// Removing from the cart asks first.
function removal() {
  const dialog = document.getElementById("remove");
  for (const form of all("form[data-remove]")) {
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      dialog.querySelector("[data-name]").textContent = form.dataset.remove;
      dialog.querySelector("input[name=slug]").value = form.elements.slug.value;
      dialog.showModal();
    });
  }
}

function newsletter() {
  const form = document.querySelector("form[data-newsletter]");
  if (!form) return;
  const [button] = all("button.primary", form);
  const [status] = all("[role=status]", form);
  form.elements.email.addEventListener("input", () => { button.disabled = !form.elements.email.value.trim(); });
  form.noValidate = true;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const response = await post("/api/newsletter", { email: form.elements.email.value });
    status.classList.toggle("bad", !response.ok);
    status.textContent = (await response.json()).message;
  });
}

// A form's button is enabled while every field it needs has a value.
function neededFields() {
  for (const form of all("form[data-needs]")) {
    const fields = form.dataset.needs.split(" ").map((name) => form.elements[name]);
    const [button] = all("button", form);
    const check = () => { button.disabled = !fields.every((field) => field.value.trim()); };
    form.addEventListener("input", check);
    form.addEventListener("change", check);
    check();
  }
}

// A quantity can be updated once it differs and is allowed.
function changedQuantities() {
  for (const form of all("form[data-changes]")) {
    const field = form.elements.quantity;
    const [button] = all("button", form);
    const check = () => { button.disabled = field.value === field.defaultValue || !field.value || !field.checkValidity(); };
    field.addEventListener("input", check);
    check();
  }
}

function chosenFile() {
  const [hint] = all("[data-chosen]");
  const field = document.getElementById("receipt");
  field?.addEventListener("change", () => {
    const [file] = field.files;
    hint.textContent = file ? `Chosen: ${file.name}, ${file.size} bytes` : "No file chosen yet, 2 MB at most.";
  });
}

// The note is edited in place: double-click or Enter opens it, Enter saves, Escape leaves it as it was.
function note() {
  const [text] = all("[data-note]");
  if (!text) return;
  const field = text.nextElementSibling;
  const show = (editing) => { text.hidden = editing; field.hidden = !editing; (editing ? field : text).focus(); };
  const edit = () => { field.value = text.textContent; show(true); };
  text.addEventListener("dblclick", edit);
  text.addEventListener("keydown", (event) => { if (event.key === "Enter") { event.preventDefault(); edit(); } });
  field.addEventListener("keydown", async (event) => {
    if (event.key === "Escape") show(false);
    if (event.key !== "Enter") return;
    const response = await post("/api/note", { note: field.value });
    text.textContent = (await response.json()).note;
    show(false);
  });
}

// A complaint goes as soon as its field is touched; the server looks again on the next submit.
function complaints() {
  for (const field of all("[aria-invalid]")) {
    field.addEventListener("input", () => {
      field.removeAttribute("aria-invalid");
      document.getElementById(`${field.id}-error`)?.remove();
    }, { once: true });
  }
}

function deliveryCost() {
  const [form] = all("form[data-checkout]");
  form?.addEventListener("change", () => {
    const chosen = form.querySelector("[name=delivery]:checked");
    const [total] = all("[data-testid=total]", form);
    const cost = Number(chosen?.dataset.cents ?? 0);
    form.querySelector("[data-testid=delivery-cost]").textContent = money(cost);
    total.textContent = money(Number(total.dataset.cents) + cost);
  });
}

async function loadRoasts(list, status, button) {
  list.replaceChildren();
  button.disabled = true;
  status.classList.add("busy");
  status.textContent = "Asking the roastery…";
  const response = await fetch(`/api/roasts?ms=${list.dataset.roasts}`);
  const roasts = await response.json();
  for (const roast of roasts) {
    const item = document.createElement("li");
    const name = document.createElement("b");
    name.textContent = roast.name;
    item.append(name, `${roast.time}, ${roast.drum}`);
    list.append(item);
  }
  status.classList.remove("busy");
  status.textContent = `${roasts.length} roasts today.`;
  button.disabled = false;
}

function roasts() {
  const [list] = all("[data-roasts]");
  if (!list) return;
  const [button] = all("[data-reload]");
  const load = () => loadRoasts(list, document.querySelector(".loading"), button);
  button.addEventListener("click", load);
  load();
}

// The menu opens by hover and focus in CSS; this tells assistive technology, and lets Escape shut it.
function menu() {
  const [button] = all("[data-menu]");
  if (!button) return;
  const box = button.parentElement;
  const tell = (open) => { button.setAttribute("aria-expanded", String(open)); };
  for (const type of ["mouseenter", "focusin"]) box.addEventListener(type, () => { box.classList.remove("shut"); tell(true); });
  box.addEventListener("mouseleave", () => tell(false));
  box.addEventListener("focusout", () => tell(box.matches(":hover")));
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    box.classList.add("shut");
    tell(false);
  });
}

function option(product) {
  const item = document.createElement("li");
  const price = document.createElement("span");
  item.setAttribute("role", "option");
  item.setAttribute("aria-selected", "false");
  item.dataset.url = product.url;
  price.className = "hint";
  price.textContent = product.price;
  item.append(product.name, price);
  return item;
}

// Suggestions while typing: arrows choose, Enter opens the chosen one or searches, Escape closes.
function suggestions() {
  const [field] = all("[data-suggest]");
  if (!field) return;
  const list = document.getElementById("suggestions");
  let asked = 0; // an answer counts only for the latest key, and not once the list was closed
  const close = () => { asked += 1; list.hidden = true; list.replaceChildren(); };
  const choose = (step) => {
    const options = [...list.children];
    const now = options.findIndex((item) => item.ariaSelected === "true");
    const next = (now + step + options.length) % options.length;
    options.forEach((item, index) => { item.ariaSelected = String(index === next); });
  };
  field.addEventListener("input", async () => {
    const turn = asked += 1;
    const response = await fetch(`/api/suggest?q=${encodeURIComponent(field.value)}`);
    const products = await response.json();
    if (turn !== asked) return;
    list.replaceChildren(...products.map(option));
    list.hidden = products.length === 0;
  });
  field.addEventListener("keydown", (event) => {
    const chosen = list.querySelector("[aria-selected=true]");
    if (event.key === "Escape") close();
    if (list.hidden) return;
    if (event.key === "ArrowDown") choose(1);
    if (event.key === "ArrowUp") choose(chosen ? -1 : 0);
    if (event.key === "Enter" && chosen) { event.preventDefault(); location.assign(chosen.dataset.url); }
  });
  list.addEventListener("mousedown", (event) => event.preventDefault());
  list.addEventListener("click", (event) => location.assign(event.target.closest("li").dataset.url));
  field.addEventListener("blur", close);
}

for (const start of [
  dialogs, removal, newsletter, neededFields, changedQuantities, chosenFile, note, complaints, deliveryCost, roasts, menu, suggestions,
]) start();
