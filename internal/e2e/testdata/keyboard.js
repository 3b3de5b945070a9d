// Notes what the keyboard reaches. After each press of Tab, focused() tells what is wrong with how the
// focus shows; unreached() tells in the end what it never came to.
(() => {
  const reached = new Set();
  const keyOf = (e) => [
    e.tagName, e.id, e.getAttribute("href"), e.name, e.form?.getAttribute("action"), e.getAttribute("aria-label"),
    e.closest("details[id], details[data-key], [id]")?.id, e.tagName === "SUMMARY" ? e.textContent : "",
  ].join("|");
  const show = (e) => e.outerHTML.replace(/\s+/g, " ").slice(0, 120);
  window.focused = () => {
    const e = document.activeElement;
    if (!e || e === document.body) {
      return "";
    }
    reached.add(keyOf(e));
    const style = getComputedStyle(e);
    const box = e.getBoundingClientRect();
    if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 1) {
      return "the focus does not show: " + show(e);
    }
    if (box.bottom <= 0 || box.top >= innerHeight || box.right <= 0 || box.left >= innerWidth || box.width * box.height === 0) {
      return "the focus is out of sight: " + show(e);
    }
    return "";
  };
  const usable = () => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
    .filter((e) => e.type !== "hidden" && !e.disabled && e.checkVisibility({ visibilityProperty: true }));
  window.usableCount = () => usable().length;
  window.unreached = () => usable().filter((e) => !reached.has(keyOf(e))).map(show);
})()
