// Called with a selector and the name of a data attribute: returns { attribute's value, or text: contrast
// ratio } of the first element of each value, after WCAG 2.1's definition.
const [selector, attribute] = arguments;
const channel = (value) => {
  const share = value / 255;
  return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
};
const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
const ground = (node) => {
  for (let at = node; at; at = at.parentElement) {
    const [r, g, b, alpha = 1] = numbers(getComputedStyle(at).backgroundColor);
    if (alpha === 1) return [r, g, b];
  }
  return [255, 255, 255];
};
const ratios = {};
for (const element of document.querySelectorAll(selector)) {
  const name = attribute ? element.dataset[attribute] : element.textContent;
  if (name in ratios) continue;
  const pair = [luminance(numbers(getComputedStyle(element).color)), luminance(ground(element))];
  ratios[name] = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
}
return ratios;
