// Files that Python hands over, saved as the browser saves downloads.

export function render({ model }) {
  model.on("msg:custom", ({ name, data }) => {
    const link = make("a")
    link.href = URL.createObjectURL(new Blob([data]))
    link.download = name
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
  })
}
