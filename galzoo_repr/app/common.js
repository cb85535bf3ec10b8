// What the modules of this folder have in common; it stands before each of them (`_page.module`).

const make = (tag, className, text) => {
  const node = document.createElement(tag)
  if (className) node.className = className
  if (text !== undefined) node.textContent = text
  return node
}

// Of a view that is made later, the page does not know at once, and cannot send anything.
const ready = (model) => {
  try {
    model.send_msg({ kind: "ready" })
  } catch {
    setTimeout(() => ready(model), 30)
  }
}

// Take messages of Python. Once there is one the page is alive, and needs no picture that stands for it.
const hear = (model, root, receive) => model.on("msg:custom", (message) => {
  hideStill(root)
  receive(message)
})

// The pictures that an exported notebook has instead of the page.
const hideStill = (node) => {
  while (node.getRootNode().host) node = node.getRootNode().host
  const still = node.closest(".galzoo-look")?.querySelector(".galzoo-still")
  if (still) still.hidden = true
}

