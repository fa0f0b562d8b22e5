"""The control plane: records of every host, orders to them, REST, dashboard and registry."""
