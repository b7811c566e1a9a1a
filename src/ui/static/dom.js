/** Small helpers over the document. */

/** The element with this id, which index.html has. */
export function byId(id) {
  return document.getElementById(id);
}

/** Makes an element; texts become text nodes, never markup. */
export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

export function svgElement(name, attributes = {}, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, String(value));
  node.append(...children);
  return node;
}

/** Replaces the options of a drop-down, keeping `selected` chosen where it is among them. */
export function setOptions(select, options, selected) {
  const nodes = options.map(({ value, text }) => element('option', { value }, text));
  select.replaceChildren(...nodes);
  if (options.some((option) => option.value === selected)) select.value = selected;
}
