import { onBeforeUnmount, onMounted, ref, type Ref } from 'vue';
import { desktop } from '../desktop.ts';
import { droppedPaths, type Dropped } from './dropped-paths.ts';

/** Drops that what they fell on has taken. That the default is prevented says nothing: it always is. */
const taken = new WeakSet<Event>();

/** The drop is not for the window. */
export function takeDrop(event: Event): void {
  taken.add(event);
}

/** Makes the whole window a target for files while the component lives. */
export function useFileDrop(onDrop: (dropped: Dropped) => void): Readonly<Ref<boolean>> {
  const dragging = ref(false);
  const bringsFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes('Files') === true;

  function over(event: DragEvent): void {
    if (!bringsFiles(event)) return;
    event.preventDefault();
    if (event.dataTransfer !== null) event.dataTransfer.dropEffect = 'copy';
    dragging.value = true;
  }
  function leave(event: DragEvent): void {
    // Only leaving the window counts: moving between elements also fires this.
    if (event.relatedTarget === null) dragging.value = false;
  }
  function drop(event: DragEvent): void {
    dragging.value = false;
    if (!bringsFiles(event) || taken.has(event)) return;
    event.preventDefault();
    onDrop(droppedPaths(event.dataTransfer?.files ?? [], desktop()));
  }

  onMounted(() => {
    window.addEventListener('dragover', over);
    window.addEventListener('dragleave', leave);
    window.addEventListener('drop', drop);
  });
  onBeforeUnmount(() => {
    window.removeEventListener('dragover', over);
    window.removeEventListener('dragleave', leave);
    window.removeEventListener('drop', drop);
  });
  return dragging;
}
