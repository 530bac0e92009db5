"""The dashboard: one page that asks the API, its files, its sessions, and the report's own charts."""
