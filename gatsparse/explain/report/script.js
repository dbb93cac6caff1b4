"use strict";
// Shows one node at a time, marks an epoch in the curves, and highlights the links of a node.
const find = (selector, within = document) => within.querySelector(selector);
const all = (selector, within = document) => [...within.querySelectorAll(selector)];
all(".script-only").forEach((element) => { element.hidden = false; });

addEventListener("beforeprint", () => all("details").forEach((each) => { each.open = true; }));

// Only a table that is cut off needs a place in the order of the keyboard.
const reachable = new ResizeObserver((changes) => changes.forEach(({ target }) => {
  target.tabIndex = target.scrollWidth > target.clientWidth ? 0 : -1;
}));
all(".scroll").forEach((element) => reachable.observe(element));

const choice = find("#node");
if (choice) {
  const nodes = all("article.node");
  const show = (number) => {
    choice.value = (number + nodes.length) % nodes.length;
    nodes.forEach((node, k) => node.classList.toggle("unchosen", k !== Number(choice.value)));
  };
  choice.addEventListener("change", () => show(Number(choice.value)));
  find("#previous").addEventListener("click", () => show(Number(choice.value) - 1));
  find("#next").addEventListener("click", () => show(Number(choice.value) + 1));
  show(0);
}

const slider = find("#epoch");
if (slider) {
  const rows = JSON.parse(find("#epochs").textContent);
  const figures = all("#curves figure");
  const epochs = rows.map((row) => row.epoch);
  const margin = 0.05 * (Math.max(...epochs) - Math.min(...epochs)); // Matplotlib's
  const low = Math.min(...epochs) - margin;
  const span = Math.max(...epochs) + margin - low;
  const text = (value) => value.toPrecision(4);
  const show = () => {
    const row = rows[slider.value];
    find("#epoch-number").textContent = row.epoch;
    find("#epoch-values").textContent =
      `loss: training ${text(row.train_loss)}, validation ${text(row.val_loss)}; ` +
      `score: validation ${text(row.val_score)}, test ${text(row.test_score)}`;
    slider.setAttribute("aria-valuetext", `epoch ${row.epoch}`);
    for (const figure of figures) {
      const [left, right] = [Number(figure.dataset.left), Number(figure.dataset.right)];
      const cursor = find(".cursor", figure);
      cursor.hidden = false;
      cursor.style.left = `${100 * (left + (right - left) * (span ? (row.epoch - low) / span : 0.5))}%`;
    }
  };
  slider.addEventListener("input", show);
  for (const figure of figures) {
    const plot = find(".plot", figure);
    plot.addEventListener("pointermove", (event) => {
      const box = plot.getBoundingClientRect();
      const [left, right] = [Number(figure.dataset.left), Number(figure.dataset.right)];
      const epoch = low + span * (((event.clientX - box.left) / box.width - left) / (right - left));
      const distance = epochs.map((each) => Math.abs(each - epoch));
      slider.value = distance.indexOf(Math.min(...distance));
      show();
    });
  }
  show();
}

for (const svg of all(".flow svg")) {
  const mark = (key) => {
    svg.classList.toggle("marking", key !== undefined);
    for (const link of all(".link", svg)) {
      link.classList.toggle("marked", [link.dataset.from, link.dataset.to].includes(key));
    }
  };
  for (const dot of all(".dot", svg)) {
    dot.addEventListener("pointerenter", () => mark(dot.dataset.key));
    dot.addEventListener("pointerleave", () => mark());
  }
}
