"""How Postfix reads main.cf and master.cf: lines, entries, services, ports, tables, key files."""
