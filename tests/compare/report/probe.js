// What a page looks like to who reads it. Evaluated in the page; the value is plain JSON.
(() => {
  const root = document.documentElement;
  const near = 1.5; // pixels: glyphs reach a little out of their boxes

  const channels = (color) => (color.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = (color) => {
    const [red, green, blue] = channels(color).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  // https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio
  const contrast = (one, other) => {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  };
  const hidden = (item) => {
    const box = item.getBoundingClientRect();
    return box.width <= 1 || box.height <= 1;
  };

  const paper = getComputedStyle(root).backgroundColor;
  const band = document.querySelector(".band");
  const grounds = band ? [paper, getComputedStyle(band).fill] : [paper];
  const pale = [];
  for (const item of document.querySelectorAll("body *")) {
    const words = [...item.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!words || hidden(item) || ["title", "desc", "style"].includes(item.localName)) continue;
    const style = getComputedStyle(item);
    const drawn = item.closest("svg") !== null;
    for (const ground of drawn ? grounds : [paper]) {
      const ratio = contrast(drawn ? style.fill : style.color, ground);
      if (ratio < 4.5) pale.push(`${item.textContent.slice(0, 40)}: ${ratio.toFixed(2)}`);
    }
    for (let at = item; at; at = at.parentElement) {
      if (getComputedStyle(at).opacity !== "1") pale.push(`${item.textContent}: see-through`);
    }
  }

  const outside = [];
  const overlapping = [];
  const empty = [];
  for (const picture of document.querySelectorAll("svg")) {
    const area = picture.getBoundingClientRect();
    if (!area.width || !area.height) empty.push(picture.outerHTML.slice(0, 80));
    const place = (picture.closest(".plot") ?? picture).getBoundingClientRect();
    const texts = [...picture.querySelectorAll("text")].map((item) => ({
      words: item.textContent,
      box: item.getBoundingClientRect(),
    }));
    for (const { words, box } of texts) {
      if (
        box.left < place.left - near || box.right > place.right + near ||
        box.top < area.top - near || box.bottom > area.bottom + near
      ) outside.push(words);
    }
    texts.forEach((one, at) => {
      for (const other of texts.slice(at + 1)) {
        const wide = Math.min(one.box.right, other.box.right) - Math.max(one.box.left, other.box.left);
        const tall = Math.min(one.box.bottom, other.box.bottom) - Math.max(one.box.top, other.box.top);
        if (wide > near && tall > near) overlapping.push(`${one.words} / ${other.words}`);
      }
    });
  }

  return {
    width: innerWidth,
    needs: root.scrollWidth,
    paper,
    pale,
    empty,
    outside,
    overlapping,
    pictures: document.querySelectorAll("svg").length,
    scrolled: [...document.querySelectorAll(".scrolls")].filter((b) => b.scrollWidth > b.clientWidth).length,
    tallest: Math.max(0, ...[...document.querySelectorAll(".timeline")].map((f) => f.offsetHeight)),
  };
})();
