// What the component library brings: a div that acts as a button, for mouse and keyboard, in and out of forms.
for (const button of document.querySelectorAll("[role=button]")) {
  Object.defineProperty(button, "disabled", {
    get: () => button.ariaDisabled === "true",
    set: (value) => { button.ariaDisabled = String(Boolean(value)); },
  });
  button.addEventListener("click", (event) => {
    if (button.disabled) event.stopImmediatePropagation();
    else if (button.dataset.submits !== undefined) button.closest("form").requestSubmit();
  });
  button.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); button.click(); }
  });
}

// Enter in a field sends its form, as a submit button would have it.
document.addEventListener("keydown", (event) => {
  const [field] = event.composedPath(); // the target itself, in a shadow root too
  const button = field.matches("input") && field.form?.querySelector("[data-submits]");
  if (event.key !== "Enter" || event.defaultPrevented || !button) return;
  event.preventDefault();
  if (!button.disabled) button.closest("form").requestSubmit();
});

