// In a notebook: once Python answers, the page needs no pictures that stand for it where it was exported.

const hideStill = (node) => {
  while (node.getRootNode().host) node = node.getRootNode().host
  const still = node.closest(".galzoo-look")?.querySelector(".galzoo-still")
  if (still) still.hidden = true
}

export function render({ model, el }) {
  model.on("msg:custom", () => hideStill(el))
  model.on("after_render", () => ready(model))
}
