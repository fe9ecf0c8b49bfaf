"""Faults of ours in the engine.

EngineError
 +- GeneratorError        a model cannot be asked, or answered nothing usable after all retries (says what to do)
 +- UnknownThing          an id that is in no journal
 +- StaleModel            a kept reward model that no longer fits the product: it is learned again
 +- OwnSuiteError         a team's own model, data or declarations cannot be used as they are (says what to change)
"""


class EngineError(Exception):
    """A fault of ours. The message says what, which value, and what to do."""


class GeneratorError(EngineError):
    pass


class UnknownThing(EngineError):
    pass


class StaleModel(EngineError):
    pass


class OwnSuiteError(EngineError):
    pass
