"""The dashboard for the person on call: the files of the page, and how they are served."""
