"""Could this cluster be recovered right now? One verdict with its reasons, from what is stored and what was tried.

- `facts` is what the verdict rests on, `verdict` what it says, `reasons` the rules, `estimate` how long a recovery
  would take, `judging` puts them together, `document` is its JSON shape.
- The verdict is about the way back that is always there: the newest proven snapshot. A survivor's own data may lose
  less; that is for domain.recovery to say on the day.
- Pure: no clock, no I/O. What cannot be seen from the store (whether a person holds the key and the kit) is never
  guessed at: it is a reason until somebody has tried.
"""
