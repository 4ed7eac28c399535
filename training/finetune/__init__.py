"""The life of a text model: learnt, tried, judged, contested for office."""
