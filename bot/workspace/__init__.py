"""A local workspace that speaks Slack's wire protocol, with a page. Imports nothing of ours.

server.py        Workspace: the web server in a thread, and what it is made of
routes.py        every route, and who is kept out
team.py          Team: what every route works with, and what happens in it: a post, an edit, a deletion, a reaction
store.py         what is kept: one SQLite file and a folder of files under `home`
seed.py          who and what exists from the start
blocks.py        Slack's limits on blocks and views, one row a limit
validation.py    applies them; structure.py walks a value along the rows
grants.py        what the app's manifest lets it hear and call
rates.py         how often a method may be called
web_api/         the Web API (`/api/...`), as slack_sdk calls it
delivery.py      Socket Mode: envelopes, acknowledgements, retries
payloads.py      the JSON of events and interactions, as Slack sends it
text.py          what a person types -> what Slack stores
local_api.py     the people's side (`/local/...`): used by the page and by client.py
interactions.py  what a person does to buttons, menus, votes and modals
live.py          tells open pages that something changed
client.py        WorkspaceClient: the people's side for programs
page/            the page: HTML, CSS and JavaScript modules, served as they are
"""
