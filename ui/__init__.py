"""The doors of Wenju: command line, service, page."""
