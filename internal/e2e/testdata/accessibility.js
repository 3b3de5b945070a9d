// Evaluates to what is wrong with a page for people who see little, or use a keyboard or a screen
// reader: a list of complaints. Contrast is that of WCAG 2.2, 1.4.3, level AA.
(() => {
  const wrong = [];
  const all = (selector) => [...document.querySelectorAll(selector)];
  const isShown = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const show = (e) => e.outerHTML.replace(/\s+/g, " ").slice(0, 120);
  const complain = (what, e) => wrong.push(e ? `${what}: ${show(e)}` : what);

  // What a screen reader goes by.

  if (!document.documentElement.lang) {
    complain("the page has no language");
  }
  if (!document.title.trim()) {
    complain("the page has no title");
  }
  for (const one of ["h1", "main"]) {
    if (all(one).length !== 1) {
      complain(`there are ${all(one).length} ${one}`);
    }
  }
  let level = 0;
  for (const heading of all("h1, h2, h3, h4, h5, h6").filter(isShown)) {
    const now = Number(heading.tagName[1]);
    if (now > level + 1) {
      complain(`a heading of level ${now} below one of level ${level}`, heading);
    }
    level = now;
  }
  const nameOf = (e) => {
    const by = (e.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "");
    const images = [...e.querySelectorAll("img[alt], svg[aria-label]")].map((i) => i.getAttribute("alt") ?? i.getAttribute("aria-label"));
    return [e.getAttribute("aria-label") ?? "", ...by, ...images, e.textContent].join("").trim();
  };
  for (const e of all("a[href], button, summary, [role=region], nav, th")) {
    if (!nameOf(e)) {
      complain("it has no name", e);
    }
  }
  for (const e of all("nav, [role=region], [role=group], section[aria-label]")) {
    if (e.matches("nav, [role]") && !e.getAttribute("aria-label") && !e.getAttribute("aria-labelledby")) {
      complain("it has no label", e);
    }
  }
  for (const field of all("input:not([type=hidden]), select, textarea")) {
    if (![...field.labels].some((label) => label.textContent.trim()) && !field.getAttribute("aria-label")) {
      complain("a field without a label", field);
    }
  }
  for (const image of all("img:not([alt])")) {
    complain("an image without a text in its place", image);
  }
  for (const svg of all("svg")) {
    if (!svg.closest("[aria-hidden=true]") && !(svg.getAttribute("role") === "img" && nameOf(svg))) {
      complain("a drawing that is neither named nor hidden", svg);
    }
  }
  for (const table of all("table")) {
    if (!table.querySelector("th[scope]")) {
      complain("a table whose cells are headed by nothing", table);
    }
  }
  const ids = all("[id]").map((e) => e.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) {
    complain(`the id ${id} is there twice`);
  }
  for (const e of all("[tabindex]").filter((e) => e.tabIndex > 0)) {
    complain("it stands out of the order of the keyboard", e);
  }
  for (const e of all("[aria-labelledby], [aria-describedby], [aria-controls], label[for], input[list]")) {
    for (const name of ["aria-labelledby", "aria-describedby", "aria-controls", "for", "list"]) {
      for (const id of (e.getAttribute(name) ?? "").split(" ").filter(Boolean)) {
        if (!document.getElementById(id)) {
          complain(`${name} names ${id}, which is not there`, e);
        }
      }
    }
  }

  // Contrast. A canvas puts colours of any notation on each other as the screen does.

  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 1;
  const pixel = canvas.getContext("2d", { willReadFrequently: true });
  const luminance = () => {
    const [red, green, blue] = [...pixel.getImageData(0, 0, 1, 1).data].map((v) => {
      const share = v / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const paint = (color, opacity = 1) => {
    pixel.globalAlpha = opacity;
    pixel.fillStyle = color;
    pixel.fillRect(0, 0, 1, 1);
  };
  const contrast = (e, color) => {
    const above = [];
    for (let at = e; at; at = at.parentElement) {
      above.unshift(getComputedStyle(at));
    }
    paint("Canvas");
    above.forEach((style) => paint(style.backgroundColor));
    const ground = luminance();
    paint(color, above.reduce((product, style) => product * Number(style.opacity), 1));
    const text = luminance();
    return (Math.max(ground, text) + 0.05) / (Math.min(ground, text) + 0.05);
  };
  const check = (e, style, what) => {
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || size >= 18.66 && Number(style.fontWeight) >= 700;
    const is = contrast(e, e instanceof SVGElement ? style.fill : style.color);
    if (is < (isLarge ? 3 : 4.5)) {
      complain(`${what} has a contrast of ${is.toFixed(2)}`, e);
    }
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const seen = new Set();
  while (texts.nextNode()) {
    const e = texts.currentNode.parentElement;
    const isText = texts.currentNode.data.trim() && !e.closest("script, style, title, option, datalist, :disabled, .visually-hidden");
    if (isText && !seen.has(e) && isShown(e)) {
      seen.add(e);
      check(e, getComputedStyle(e), "a text");
    }
  }
  for (const field of all("input:not([type=hidden]), select, textarea").filter((e) => isShown(e) && !e.disabled)) {
    check(field, getComputedStyle(field), "a field");
    if (field.placeholder) {
      const style = getComputedStyle(field, "::placeholder");
      check(field, { color: style.color, fontSize: style.fontSize, fontWeight: style.fontWeight }, "a placeholder");
    }
  }
  return wrong;
})()
