// The report of a model: what it says in a line, its pictures for a light or a dark page, and its figures as text.

const dark = window.matchMedia("(prefers-color-scheme: dark)")

export function render({ model, el }) {
  const style = make("style", "", model.css)
  const root = make("section", "learned")
  root.tabIndex = 0
  root.setAttribute("aria-label", "What was learned from the labels")
  const state = make("p", "said"), picture = make("img"), text = make("pre")
  state.setAttribute("role", "status")
  picture.alt = "Reliability, confusion and learning curve"
  picture.hidden = true
  root.append(make("h2", "", "What was learned"), state, picture, text)
  el.append(style, root)
  el.style.height = "100%"
  let shown = []
  const draw = () => {
    const data = shown[dark.matches ? 1 : 0]
    if (picture.src) URL.revokeObjectURL(picture.src)
    picture.hidden = !data
    if (data) picture.src = URL.createObjectURL(new Blob([data], { type: "image/png" }))
  }
  model.on("msg:custom", (message) => {
    state.textContent = message.state
    text.textContent = message.text
    if (message.alt) picture.alt = message.alt
    root.dataset.labels = message.labels
    if (message.pictures) {
      shown = message.pictures
      draw()
    }
  })
  dark.addEventListener("change", draw)
  model.on("after_render", () => ready(model))
  model.on("remove", () => dark.removeEventListener("change", draw))
}
