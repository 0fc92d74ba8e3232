/** Keeps the browser from opening a file that is dropped where nothing takes it, which would replace the page. */
export function refuseStrayDrops(target: Pick<Window, 'addEventListener'>): void {
  target.addEventListener('dragover', (event) => {
    event.preventDefault();
    // A screen that takes files listens after this and says so.
    if (event.dataTransfer !== null) event.dataTransfer.dropEffect = 'none';
  });
  target.addEventListener('drop', (event) => event.preventDefault());
}
