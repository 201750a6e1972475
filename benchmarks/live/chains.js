// The locators that a recorder would keep for an element, the best first; each finds nothing else on its page.
(element) => {
  const page = element.getRootNode();
  const tag = element.localName;
  const text = element.textContent.trim().replace(/\s+/g, " ");
  const quoted = (value) => `"${CSS.escape(value)}"`;
  const attribute = (name) => element.getAttribute(name) && { css: `${tag}[${name}=${quoted(element.getAttribute(name))}]` };
  const step = (node) => {
    const same = [...node.parentElement.children].filter((sibling) => sibling.localName === node.localName);
    return `/${node.localName}[${same.indexOf(node) + 1}]`;
  };
  const path = (stopAtId) => {
    let way = "";
    for (let node = element; node.parentElement; node = node.parentElement) {
      way = step(node) + way;
      if (stopAtId && node.parentElement.id) return `//*[@id="${node.parentElement.id}"]${way}`;
    }
    return `/html${way}`;
  };
  const alone = ({ css, xpath }) => css
    ? page.querySelectorAll(css).length === 1
    : page.evaluate(`count(${xpath})`, page, null, XPathResult.NUMBER_TYPE).numberValue === 1;
  const wording = text && text.length < 60 && !text.includes('"') && { xpath: `//${tag}[normalize-space()="${text}"]` };
  return [
    element.id && { css: `#${CSS.escape(element.id)}` },
    attribute("name"), attribute("data-testid"), wording, attribute("href"), { xpath: path(true) }, { xpath: path(false) },
  ].filter(Boolean).filter(alone);
}
