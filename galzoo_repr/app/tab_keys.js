// Tabs by keyboard: Bokeh lets them be reached, and answers the mouse alone.

window.galzooTabKeys ??= window.addEventListener("keydown", (event) => {
  const path = event.composedPath()
  const own = path.some((node) => node.id === "galzoo" || node.classList?.contains("galzoo-look"))
  if (!own || !["Enter", " "].includes(event.key) || !path[0].classList.contains("bk-tab")) return
  event.preventDefault()
  event.stopPropagation()
  path[0].click()
}, true) ?? true
