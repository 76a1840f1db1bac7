// Words kept in this browser; where it keeps no storage, until the page is left.
const here = new Map();

export function keep(key, text) {
  here.set(key, text);
  try {
    localStorage.setItem(key, text);
  } catch {
    // The map has it.
  }
}

export function kept(key) {
  try {
    return localStorage.getItem(key) ?? here.get(key);
  } catch {
    return here.get(key);
  }
}

export function forget(key) {
  here.delete(key);
  try {
    localStorage.removeItem(key);
  } catch {
    // It was never there.
  }
}
