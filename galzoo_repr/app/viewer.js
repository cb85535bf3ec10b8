// One galaxy from its fluxes: stretch, brightness, bands, zoom, and a scale bar, all made in the browser.
//
// Python says which row to show, and sends its planes (g, r, z: float32, nanomaggies, first row north) when asked for
// them. Galaxy Zoo's stretch is that of galzoo_repr.images.galaxy_zoo_stretch.

const UNIT = [0.008, 0.014, 0.019] // nanomaggies, of g, r and z
const LOW = Math.asinh(-0.5), HIGH = Math.asinh(300)
const SATURATION = 2.5
const BARS = [0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800] // arcsec
const KEPT = 12 // galaxies

const CURVES = {
  asinh: (x) => (Math.asinh(x) - LOW) / (HIGH - LOW),
  log: (x) => Math.log1p(Math.max(x, 0)) / Math.log1p(300),
  "square root": (x) => Math.sqrt(Math.max(x, 0) / 150),
  linear: (x) => x / 60,
}
const STRETCHES = { "Galaxy Zoo": CURVES.asinh, ...CURVES }

// Colours, 8 bit RGBA, of planes under settings {stretch, bands, stops, invert}.
export function colours({ planes, size }, { stretch, bands, stops, invert }) {
  const out = new Uint8ClampedArray(4 * size)
  const curve = STRETCHES[stretch], gain = 2 ** stops
  const sign = invert ? -255 : 255, zero = invert ? 255 : 0
  const single = "grz".indexOf(bands)
  for (let i = 0; i < size; i++) {
    let red, green, blue
    if (bands.length === 1) {
      red = green = blue = curve((planes[single * size + i] * gain) / UNIT[single])
    } else {
      blue = curve((planes[i] * gain) / UNIT[0])
      green = curve((planes[size + i] * gain) / UNIT[1])
      red = curve((planes[2 * size + i] * gain) / UNIT[2])
      if (stretch === "Galaxy Zoo") {
        const mean = (red + green + blue) / 3, scale = mean === 0 ? 1 : mean
        const strongest = Math.max(red / scale, green / scale, blue / scale)
        let weight = Math.sin((1 - Math.min(strongest / SATURATION, 1)) * (Math.PI / 2))
        const grey = (1 - weight) * mean
        weight += (1 - weight) * grey
        red = red * weight + grey
        green = green * weight + grey
        blue = blue * weight + grey
      }
    }
    const clip = (x) => Math.min(Math.max(x, 0), 1) * sign + zero
    out[4 * i] = clip(red)
    out[4 * i + 1] = clip(green)
    out[4 * i + 2] = clip(blue)
    out[4 * i + 3] = 255
  }
  return out
}

// Colours of a picture that has no fluxes.
function changed(pixels, { stops, invert }) {
  const out = new Uint8ClampedArray(pixels), gain = 2 ** stops
  for (let i = 0; i < out.length; i++) {
    if (i % 4 === 3) continue
    const value = Math.min(pixels[i] * gain, 255)
    out[i] = invert ? 255 - value : value
  }
  return out
}

class Viewer {
  constructor(model) {
    this.model = model
    this.known = new Map()
    this.settings = { stretch: "Galaxy Zoo", bands: "grz", stops: 0, invert: false }
    this.source = document.createElement("canvas")
    this.build()
    this.fit()
    model.on("msg:custom", (message) => this.receive(message))
  }

  build() {
    this.root = make("section", "fluxes")
    this.root.dataset.lmSuppressShortcuts = "true"
    this.root.setAttribute("aria-label", "Viewer of fluxes")
    this.title = make("h2", "", "")
    this.canvas = make("canvas")
    this.canvas.tabIndex = 0
    this.canvas.setAttribute("role", "img")
    this.canvas.setAttribute("aria-label", "Galaxy; plus and minus zoom, arrows move, 0 shows all, i inverts")
    this.note = make("p", "note")
    this.note.setAttribute("aria-live", "polite")
    const controls = make("div", "controls")
    controls.append(
      this.choice("Stretch", "stretch", Object.keys(STRETCHES)),
      this.choice("Bands", "bands", ["grz", "g", "r", "z"]),
      this.slider(), this.check(),
      this.button("+", "Zoom in", () => this.zoom(1.5)), this.button("−", "Zoom out", () => this.zoom(1 / 1.5)),
      this.button("all", "Show all, as at first", () => this.reset()),
      (this.wider = this.button("wider field", "Fetch a wider field from the survey", () => this.widen())),
    )
    this.root.append(this.title, this.canvas, controls, this.note)
    this.canvas.addEventListener("wheel", (event) => {
      event.preventDefault()
      this.zoom(event.deltaY < 0 ? 1.2 : 1 / 1.2, event.offsetX, event.offsetY)
    }, { passive: false })
    this.canvas.addEventListener("pointerdown", (event) => this.canvas.setPointerCapture(event.pointerId))
    this.canvas.addEventListener("pointermove", (event) => {
      if (event.buttons) this.move(event.movementX, event.movementY)
    })
    this.canvas.addEventListener("keydown", (event) => this.keydown(event))
    this.sized = new ResizeObserver(() => this.paint())
    this.sized.observe(this.canvas)
  }

  choice(label, name, values) {
    const select = make("select")
    select.append(...values.map((value) => make("option", "", value)))
    select.addEventListener("change", () => this.change({ [name]: select.value }))
    return this.labelled(label, select, name)
  }

  slider() {
    const slider = make("input")
    Object.assign(slider, { type: "range", min: -3, max: 6, step: 0.1, value: 0 })
    slider.addEventListener("input", () => this.change({ stops: Number(slider.value) }))
    return this.labelled("Brightness", slider, "stops")
  }

  check() {
    const box = make("input")
    box.type = "checkbox"
    box.addEventListener("change", () => this.change({ invert: box.checked }))
    return this.labelled("Invert", box, "invert")
  }

  labelled(label, control, name) {
    const node = make("label", "", label)
    control.name = name
    control.ariaLabel = label
    node.append(control)
    return node
  }

  button(text, label, action) {
    const node = make("button", "", text)
    node.type = "button"
    node.title = node.ariaLabel = label
    node.addEventListener("click", action)
    return node
  }

  keydown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const step = 40
    const moves = { ArrowLeft: [step, 0], ArrowRight: [-step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }
    if (event.key === "+" || event.key === "=") this.zoom(1.5)
    else if (event.key === "-") this.zoom(1 / 1.5)
    else if (event.key === "0") this.reset()
    else if (event.key === "i") this.change({ invert: !this.settings.invert })
    else if (moves[event.key]) this.move(...moves[event.key])
    else return
    event.preventDefault()
    event.stopPropagation()
  }

  // --- which galaxy ------------------------------------------------------------------------------------------------

  async receive(message) {
    if (message.kind === "show") {
      this.row = message.row
      this.wide = false
      this.wider.textContent = "wider field"
      this.title.textContent = message.name
      this.note.textContent = ""
      if (this.known.has(this.row)) this.develop()
      else this.model.send_msg({ kind: "want", row: this.row })
      return
    }
    if (message.kind === "nothing") {
      if (message.row === this.row) this.note.textContent = message.text
      return
    }
    const picture = await this.read(message)
    this.known.set(message.kind === "wide" ? `wide ${message.row}` : message.row, picture)
    while (this.known.size > KEPT) this.known.delete(this.known.keys().next().value)
    if (message.row !== this.row || (message.kind === "wide") !== this.wide) return
    this.note.textContent = message.kind === "colours" ? "No fluxes: this is a picture in colour." : ""
    this.fit()
    this.develop()
  }

  async read({ kind, data, height, width, scale }) {
    if (kind === "planes") {
      const bytes = data instanceof ArrayBuffer ? data : new Uint8Array(data).slice().buffer
      return { planes: new Float32Array(bytes), height, width, scale, size: height * width }
    }
    const bitmap = await createImageBitmap(new Blob([data], { type: "image/jpeg" }))
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height)
    const context = canvas.getContext("2d")
    context.drawImage(bitmap, 0, 0)
    const { data: pixels } = context.getImageData(0, 0, bitmap.width, bitmap.height)
    return { pixels, height: bitmap.height, width: bitmap.width, scale }
  }

  widen() {
    if (this.row === undefined) return
    this.wide = !this.wide
    this.wider.textContent = this.wide ? "cutout" : "wider field"
    this.note.textContent = ""
    if (this.known.has(this.key)) {
      this.fit()
      this.develop()
    } else {
      this.note.textContent = "Asking the survey …"
      this.model.send_msg({ kind: this.wide ? "wider" : "want", row: this.row })
    }
  }

  get key() { return this.wide ? `wide ${this.row}` : this.row }

  // --- how it is shown ----------------------------------------------------------------------------------------------

  change(settings) {
    Object.assign(this.settings, settings)
    this.root.querySelector("[name=invert]").checked = this.settings.invert
    if (!this.developing) this.developing = requestAnimationFrame(() => this.develop())
  }

  reset() {
    for (const control of this.root.querySelectorAll("select")) control.selectedIndex = 0
    this.root.querySelector("[name=stops]").value = 0
    this.fit()
    this.change({ stretch: "Galaxy Zoo", bands: "grz", stops: 0, invert: false })
  }

  fit() { this.view = { zoom: 1, x: 0, y: 0 } }

  zoom(factor, x, y) {
    const { clientWidth: side } = this.canvas
    const at = { x: x ?? side / 2, y: y ?? side / 2 }
    const zoom = Math.min(Math.max(this.view.zoom * factor, 1), 40), by = zoom / this.view.zoom
    this.view = { zoom, x: at.x - by * (at.x - this.view.x), y: at.y - by * (at.y - this.view.y) }
    this.move(0, 0)
  }

  move(dx, dy) {
    const { clientWidth: side } = this.canvas
    const least = side * (1 - this.view.zoom)
    this.view.x = Math.min(Math.max(this.view.x + dx, least), 0)
    this.view.y = Math.min(Math.max(this.view.y + dy, least), 0)
    this.paint()
  }

  develop() {
    this.developing = null
    const picture = this.known.get(this.key)
    if (!picture) return
    const { width, height } = picture
    const rgba = picture.planes ? colours(picture, this.settings) : changed(picture.pixels, this.settings)
    this.source.width = width
    this.source.height = height
    this.source.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0)
    this.root.dataset.shown = this.key
    for (const choice of this.root.querySelectorAll("select")) choice.disabled = !picture.planes
    this.paint()
  }

  paint() {
    const picture = this.known.get(this.key)
    const side = this.canvas.clientWidth, sharp = window.devicePixelRatio || 1
    if (!picture || !side) return
    this.canvas.width = this.canvas.height = Math.round(side * sharp)
    const context = this.canvas.getContext("2d")
    context.scale(sharp, sharp)
    const longest = Math.max(picture.width, picture.height)
    const pixel = (side / longest) * this.view.zoom // of the screen, for one of the picture
    context.imageSmoothingEnabled = pixel < 3
    context.imageSmoothingQuality = "high"
    const [w, h] = [picture.width * pixel, picture.height * pixel]
    const [left, top] = [(side * this.view.zoom - w) / 2, (side * this.view.zoom - h) / 2]
    context.drawImage(this.source, this.view.x + left, this.view.y + top, w, h)
    if (picture.scale) this.bar(context, side, pixel / picture.scale)
  }

  bar(context, side, perArcsec) {
    const length = BARS.filter((one) => one * perArcsec <= side / 3).at(-1)
    if (length === undefined) return
    const [left, bottom] = [14, side - 14]
    const text = length < 60 ? `${length}″` : `${length / 60}′`
    for (const [style, width] of [["#000a", 5], ["#fff", 2]]) {
      context.strokeStyle = style
      context.lineWidth = width
      context.beginPath()
      context.moveTo(left, bottom)
      context.lineTo(left + length * perArcsec, bottom)
      context.stroke()
    }
    context.font = "600 13px system-ui, sans-serif"
    context.lineWidth = 3
    context.strokeStyle = "#000a"
    context.fillStyle = "#fff"
    context.strokeText(text, left, bottom - 7)
    context.fillText(text, left, bottom - 7)
    this.root.dataset.bar = text
  }
}

export function render({ model, el }) {
  const style = make("style", "", model.css)
  const viewer = new Viewer(model)
  el.append(style, viewer.root)
  el.style.height = "100%"
  el.viewer = viewer
  model.on("after_render", () => ready(model))
  model.on("remove", () => viewer.sized.disconnect())
}
