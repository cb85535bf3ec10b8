// What the modules of this folder have in common; it stands before each of them (`_page.module`).

const make = (tag, className, text) => {
  const node = document.createElement(tag)
  if (className) node.className = className
  if (text !== undefined) node.textContent = text
  return node
}

// Whether keys may be led somewhere of which a person did not ask: not when she went elsewhere in the page meanwhile,
// where what she types would be taken for something else. Where she came from, a tab or what is hidden now, is free.
const free = () => {
  let node = document.activeElement
  while (node?.shadowRoot?.activeElement) node = node.shadowRoot.activeElement
  let page = node
  while (page && !page.closest("#galzoo, .galzoo-look")) page = page.getRootNode().host
  return !page || node.classList.contains("bk-active") || !node.getClientRects().length
}

// Of a view that is made later, the page does not know at once, and cannot send anything.
const ready = (model) => {
  try {
    model.send_msg({ kind: "ready" })
  } catch {
    setTimeout(() => ready(model), 30)
  }
}

