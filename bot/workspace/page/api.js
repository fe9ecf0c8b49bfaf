// The people's side of the workspace (`/local/...`) for the person chosen in the sidebar.

const KEY = "workspace-user";
let user = sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY);

export const currentUser = () => user;

/** Be somebody else: in this tab, and in tabs opened later. */
export function actAs(id) {
  user = id;
  sessionStorage.setItem(KEY, id);
  localStorage.setItem(KEY, id);
}

async function answer(response) {
  if (response.ok) return response.json();
  const said = response.status === 400 ? await response.json() : { message: `the workspace answered ${response.status}` };
  throw Object.assign(new Error(said.message), { code: said.error });
}

export async function get(path, query = {}) {
  const given = Object.entries({ user, ...query }).filter(([, value]) => value !== null && value !== undefined);
  return answer(await fetch(`/local/${path}?${new URLSearchParams(given)}`));
}

export async function post(path, body = {}) {
  const headers = { "Content-Type": "application/json" };
  const given = user ? { user, ...body } : body;
  return answer(await fetch(`/local/${path}`, { method: "POST", headers, body: JSON.stringify(given) }));
}

export async function upload(file) {
  const query = new URLSearchParams({ name: file.name, ...(user ? { user } : {}) });
  return (await answer(await fetch(`/local/files?${query}`, { method: "POST", body: file }))).file;
}

/** Call `onNote` for each change, and with {type: "hello"} after every (re)connection. */
export function live(onNote, onBreak) {
  const source = new EventSource("/local/live");
  source.onmessage = (event) => onNote(JSON.parse(event.data));
  source.onerror = onBreak;
}
