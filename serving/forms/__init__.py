"""The forms of requests and answers, a file per theme."""
