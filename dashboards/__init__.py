"""Views of the park: the operations screen (screen/) and Grafana dashboards as code (grafana/)."""
