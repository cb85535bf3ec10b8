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

