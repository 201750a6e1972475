// What elements look like: an expression that yields the functions which `collect.py` calls in a frame.
// Nothing here reads what people typed: no value of a field, no text of an editable element.
(options) => {
  const MOST_CHARS = 400, MOST_ATTRIBUTES = 30, MOST_NEIGHBOURS = 8, MOST_CANDIDATES = 3000;
  const NEAR_PX = 100, ROW_PX = 50, MOST_ROWS = 40, NEIGHBOUR_CHARS = 60;
  const OWN_FIELDS = ["id", "name", "class", "type", "href", "alt", "title", "placeholder", "role"];
  // State and content, which change from visit to visit, and code.
  const VOLATILE = ["value", "style", "checked", "selected", "disabled", "open", "nonce", "srcdoc", "aria-expanded",
    "aria-checked", "aria-selected", "aria-pressed", "aria-busy", "aria-invalid", "aria-label", "aria-labelledby"];
  const left = new Set([...OWN_FIELDS, ...VOLATILE, ...options.ignored, ...options.testIds]);
  const INTERACTIVE = ["a[href]", "button", "input", "select", "textarea", "summary", "label", "[role]", "[tabindex]",
    "[onclick]", "[contenteditable]", "img[alt]", ...options.testIds.map((name) => `[${name}]`)].join();
  const SKIPPED = new Set(["script", "style", "template", "noscript", "head", "meta", "link", "br", "option"]);
  const BUTTONS = new Set(["button", "submit", "reset", "image"]);
  const INPUT_ROLES = { checkbox: "checkbox", radio: "radio", range: "slider", number: "spinbutton", search: "searchbox" };
  const ROLES = { button: "button", textarea: "textbox", option: "option", nav: "navigation", main: "main", img: "img",
    ul: "list", ol: "list", li: "listitem", table: "table", tr: "row", td: "cell", th: "columnheader", form: "form",
    dialog: "dialog", article: "article", aside: "complementary", progress: "progressbar", output: "status",
    p: "paragraph", fieldset: "group", hr: "separator" };
  const NAMED_BY_CONTENT = new Set(["button", "link", "heading", "option", "tab", "menuitem", "menuitemcheckbox",
    "menuitemradio", "checkbox", "radio", "switch", "cell", "columnheader", "row", "treeitem", "tooltip"]);
  const known = window[Symbol.for("qa-queue")] ??= { names: new WeakMap(), document: Math.random(), last: 0 };
  const squeezed = (text) => (text ?? "").replace(/\s+/g, " ").trim().slice(0, MOST_CHARS);
  const parentOf = (node) => node.parentElement ?? node.getRootNode().host ?? null;

  const roleOf = (element) => {
    const given = (element.getAttribute("role") ?? "").trim().split(/\s+/)[0];
    if (given) return given;
    const tag = element.localName;
    if (tag === "a") return element.hasAttribute("href") ? "link" : "";
    if (/^h[1-6]$/.test(tag)) return "heading";
    if (tag === "select") return element.multiple || element.size > 1 ? "listbox" : "combobox";
    if (tag !== "input") return ROLES[tag] ?? "";
    if (BUTTONS.has(element.type)) return "button";
    if (["password", "file", "hidden", "color"].includes(element.type) || /date|time|month|week/.test(element.type)) return "";
    return INPUT_ROLES[element.type] ?? (element.list ? "combobox" : "textbox");
  };
  const editable = (element) => element.localName === "textarea" || element.isContentEditable ||
    ["textbox", "searchbox"].includes(element.getAttribute("role"));

  // Text by the nodes: a space between blocks that stand side by side, and nothing that was typed.
  const textOf = (element) => {
    if (element.localName === "input") return BUTTONS.has(element.type) ? squeezed(element.value) : "";
    if (editable(element)) return "";
    if (!element.firstElementChild) return squeezed(element.textContent);
    const parts = [];
    let length = 0;
    const walk = (node) => {
      for (const child of node.childNodes) {
        if (length > MOST_CHARS) return;
        if (child.nodeType === Node.TEXT_NODE) { parts.push(child.data); length += child.data.trim().length; }
        else if (child.nodeType === Node.ELEMENT_NODE && !SKIPPED.has(child.localName) && !editable(child)) { parts.push(" "); walk(child); parts.push(" "); }
      }
    };
    walk(element);
    return squeezed(parts.join(""));
  };
  const contentName = (node) => {
    let name = "";
    for (const child of node.childNodes) {
      if (child.nodeType === Node.TEXT_NODE) name += child.data;
      else if (child.nodeType === Node.ELEMENT_NODE && !SKIPPED.has(child.localName) && child.ariaHidden !== "true" && !child.hidden && !editable(child)) {
        name += child.getAttribute("aria-label") ?? (child.localName === "img" ? child.alt : contentName(child));
      }
    }
    return name;
  };
  // A page looks through all of itself for the labels of one field; for all fields at once they are gathered before.
  let labels = null;
  const labelsOf = (element) => (labels ? labels.get(element) : element.labels && [...element.labels]) ?? [];
  const labelOf = (element) => squeezed(labelsOf(element).map((label) => label.getAttribute("aria-label") ?? contentName(label)).join(" "));
  const nameOf = (element, role) => {
    const ids = element.getAttribute("aria-labelledby");
    if (ids) {
      const named = ids.trim().split(/\s+/).map((id) => element.getRootNode().getElementById?.(id)).filter(Boolean);
      const name = squeezed(named.map((one) => one.getAttribute("aria-label") ?? contentName(one)).join(" "));
      if (name) return name;
    }
    const own = squeezed(element.getAttribute("aria-label"));
    if (own) return own;
    if (element.localName === "input" && BUTTONS.has(element.type)) return squeezed(element.value || element.alt || { submit: "Submit", reset: "Reset" }[element.type]);
    if (element.localName === "img" && element.alt) return squeezed(element.alt);
    const label = labelOf(element);
    if (label) return label;
    const content = NAMED_BY_CONTENT.has(role) && !editable(element) ? squeezed(contentName(element)) : "";
    return content || squeezed(element.getAttribute("title") || element.getAttribute("placeholder"));
  };

  // Paths; the places of siblings are counted once a parent.
  const places = new Map();
  const placeOf = (element) => {
    const parent = element.parentNode;
    if (!places.has(parent)) {
      const counts = {}, found = new Map();
      for (const child of parent.children) found.set(child, (counts[child.localName] = (counts[child.localName] ?? 0) + 1));
      places.set(parent, found);
    }
    return places.get(parent).get(element);
  };
  const xpathOf = (element, toId) => {
    let path = "";
    for (let node = element; node?.parentNode; node = node.parentElement) {
      if (toId && node.id) return `//*[@id='${node.id}']${path}`;
      path = `/${node.localName}[${placeOf(node)}]${path}`;
    }
    return path;
  };
  const shadowOf = (element) => {
    const hosts = [];
    for (let host = element.getRootNode().host; host; host = host.getRootNode().host) hosts.unshift(xpathOf(host));
    return hosts;
  };

  // Where elements are drawn, asked once: the page's own rectangles are slow to read.
  const rects = new Map(), across = scrollX, downwards = scrollY;
  const rectOf = (element) => {
    let rect = rects.get(element);
    if (!rect) {
      const { left, top, width, height } = element.getBoundingClientRect();
      rects.set(element, (rect = { left, top, width, height, right: left + width, bottom: top + height }));
    }
    return rect;
  };
  const boxOf = (element) => {
    const { left, top, width, height } = rectOf(element);
    return width && height ? { x: Math.round(left + across), y: Math.round(top + downwards), width: Math.round(width), height: Math.round(height) } : null;
  };
  // Every element, open shadow roots included, in the order of the document; of a drawing only the whole.
  const everything = () => {
    const found = [];
    const walk = (root) => {
      for (const element of root.querySelectorAll("*")) {
        if (SKIPPED.has(element.localName) || element.ownerSVGElement) continue;
        found.push(element);
        if (element.shadowRoot) walk(element.shadowRoot);
      }
    };
    walk(document);
    return found;
  };
  const ownText = (element) => {
    for (let child = element.firstChild; child; child = child.nextSibling) if (child.nodeType === Node.TEXT_NODE && /\S/.test(child.data)) return true;
    return false;
  };
  // Where texts are drawn; what they say is read only of those that are near enough.
  const textsOf = (elements) => {
    const texts = [];
    for (const element of elements) {
      if (!ownText(element)) continue;
      const rect = rectOf(element);
      if (rect.width && rect.height) texts.push({ element, rect });
    }
    return texts;
  };
  const inRows = (texts) => {
    const rows = new Map();
    for (const text of texts) {
      const first = Math.floor(text.rect.top / ROW_PX), last = Math.min(first + MOST_ROWS, Math.floor(text.rect.bottom / ROW_PX));
      for (let row = first; row <= last; row++) rows.has(row) ? rows.get(row).push(text) : rows.set(row, [text]);
    }
    return rows;
  };
  const nearRows = (rows, box) => {
    const found = new Set();
    const last = Math.floor((box.bottom + NEAR_PX) / ROW_PX);
    for (let row = Math.floor((box.top - NEAR_PX) / ROW_PX); row <= last; row++) for (const text of rows.get(row) ?? []) found.add(text);
    return found;
  };
  const wordsOf = (text) => {
    if (text.words === undefined) {
      text.words = "";
      if (!editable(text.element)) for (const child of text.element.childNodes) if (child.nodeType === Node.TEXT_NODE) text.words += child.data;
      text.words = squeezed(text.words).slice(0, NEIGHBOUR_CHARS);
    }
    return text.words;
  };
  const neighboursOf = (element, near) => {
    const box = rectOf(element);
    if (!box.width || !box.height || box.height > 400) return [];
    const found = [];
    for (const text of near(box)) {
      const aside = Math.max(text.rect.left - box.right, box.left - text.rect.right, 0);
      if (aside > NEAR_PX) continue;
      const apart = aside + Math.max(text.rect.top - box.bottom, box.top - text.rect.bottom, 0);
      if (apart <= NEAR_PX && !element.contains(text.element)) found.push([apart, text]);
    }
    return found.sort((a, b) => a[0] - b[0]).map(([, text]) => wordsOf(text)).filter(Boolean).slice(0, MOST_NEIGHBOURS);
  };

  // Where it leads: within the site without the host, which another deployment of the same site does not share.
  const local = (url) => (url.startsWith(`${location.origin}/`) ? url.slice(location.origin.length) : url);
  const submits = (element) => (element.localName === "button" && element.type === "submit") ||
    (element.localName === "input" && ["submit", "image"].includes(element.type));
  const actionOf = (element) => {
    if (!submits(element) || !element.form) return "";
    const given = element.getAttribute("formaction") ?? element.form.getAttribute("action");
    return given && URL.canParse(given, document.baseURI) ? local(new URL(given, document.baseURI).href) : "";
  };

  const describe = (element, near) => {
    const role = roleOf(element);
    const attributes = [...element.attributes].filter(({ name }) => !left.has(name) && !name.startsWith("on"));
    return {
      tag: element.localName, id: element.id, name: element.getAttribute("name") ?? "", type: element.getAttribute("type") ?? "",
      classes: [...element.classList], role, accessible_name: nameOf(element, role), label: labelOf(element),
      placeholder: element.getAttribute("placeholder") ?? "", test_ids: options.testIds.map((name) => element.getAttribute(name)).filter(Boolean),
      text: textOf(element), href: element.localName === "a" ? local(element.href) : "", action: actionOf(element), alt: element.getAttribute("alt") ?? "",
      title: element.getAttribute("title") ?? "", attributes: attributes.slice(0, MOST_ATTRIBUTES).map(({ name, value }) => [name, squeezed(value)]),
      neighbours: neighboursOf(element, near), box: boxOf(element), xpath: xpathOf(element, false), id_xpath: xpathOf(element, true), shadow: shadowOf(element),
    };
  };

  // Whether it could be used for the action now: `need` has any of visible, enabled, editable, hit.
  const deepest = (x, y) => {
    let hit = document.elementFromPoint(x, y);
    while (hit?.shadowRoot?.elementFromPoint(x, y) && hit.shadowRoot.elementFromPoint(x, y) !== hit) hit = hit.shadowRoot.elementFromPoint(x, y);
    return hit;
  };
  const covered = (element) => {
    const { left, top, width, height } = rectOf(element);
    const hit = deepest(left + width / 2, top + height / 2);
    if (!hit) return false; // out of sight: the action scrolls, and looks itself
    const ours = [element, ...labelsOf(element)];
    for (let node = hit; node; node = node.assignedSlot ?? parentOf(node)) if (ours.includes(node)) return false;
    return true;
  };
  const usable = (element) => {
    const need = options.need;
    if (need.includes("visible") && !(boxOf(element) && element.checkVisibility({ visibilityProperty: true }))) return false;
    if (need.includes("enabled") && (element.matches(":disabled") || element.closest("[aria-disabled=true]"))) return false;
    if (need.includes("editable") && (element.readOnly || element.getAttribute("aria-readonly") === "true")) return false;
    return !(need.includes("hit") && covered(element));
  };

  const quoted = (value) => `"${CSS.escape(value)}"`;
  const structural = (element) => {
    const steps = [];
    for (let node = element; node && node.localName !== "html"; node = parentOf(node)) {
      if (node !== element && node.id && !generated(node.id)) { steps.unshift(`#${CSS.escape(node.id)}`); break; }
      steps.unshift(node.localName === "body" ? "body" : `${node.localName}:nth-of-type(${placeOf(node)})`);
    }
    return steps;
  };
  const generated = (id) => /\d{3,}|^:|^(ember|react|radix|headlessui|mui)|[0-9a-f]{6,}/i.test(id);
  const cssOf = (element) => {
    const found = [];
    if (element.id && !generated(element.id)) found.push(`#${CSS.escape(element.id)}`);
    for (const name of ["name", "href", "alt", "title", "aria-label"]) {
      const value = element.getAttribute(name);
      if (value && value.length <= 100) found.push(`${element.localName}[${name}=${quoted(value)}]`);
    }
    // Within a root a child is a child; into a shadow root, Playwright's blank leads.
    const inShadow = element.getRootNode() !== document;
    found.push(structural(element).join(inShadow ? " " : " > "));
    return found;
  };

  return {
    // Of one element, as JSON.
    one: (element) => {
      const texts = textsOf(everything());
      return JSON.stringify(describe(element, () => texts));
    },
    // Of all that a step could mean, as JSON; `pick` knows them by their places in it.
    all: () => {
      const elements = everything(), rows = inRows(textsOf(elements));
      const near = (box) => nearRows(rows, box);
      labels = new Map();
      for (const label of elements) {
        if (label.localName === "label" && label.control) labels.set(label.control, [...(labels.get(label.control) ?? []), label]);
      }
      const meant = elements.filter((e) => !(e.localName === "input" && e.type === "hidden") &&
        (e.localName === options.tag || e.matches(INTERACTIVE) || ownText(e)));
      known.candidates = meant.slice(0, MOST_CANDIDATES);
      return JSON.stringify(known.candidates.map((element) => ({ ...describe(element, near), usable: usable(element) })));
    },
    // The name of a candidate, as `locate` gives names, and CSS that may find it; null when it is gone.
    pick: (place) => {
      const element = known.candidates?.[place];
      if (!element?.isConnected) return null;
      if (!known.names.has(element)) known.names.set(element, `${known.document}:${++known.last}`);
      return { name: known.names.get(element), css: cssOf(element), xpath: element.getRootNode() === document ? xpathOf(element, true) : null };
    },
    // CSS of a frame's element in its parent.
    frame: (element) => {
      const page = element.getRootNode();
      return cssOf(element).find((css) => page.querySelectorAll(css).length === 1) ?? structural(element).join(" > ");
    },
  };
}
