"""Faults of ours in the engine.

EngineError
 +- GeneratorError        a model cannot be asked, or answered nothing usable after all retries (says what to do)
 +- UnknownThing          an id that is in no journal
 +- StaleModel            a kept reward model that no longer fits the product: it is learned again
 +- OwnSuiteError         a team's own model, data or declarations cannot be used as they are (says what to change)
 +- PaperError            a paper cannot be had or read, or literature cannot be asked (one sentence, says what to do)
 +- TaskDataError         the data of an experiment cannot be had here (says what to do)
 +- PlanError             a plan of an experiment cannot be carried out as written (lists every fault)
 +- BundleError           a file is no bundle of an experiment, or one that was changed (says which part)
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


class TaskDataError(EngineError):
    pass


class PlanError(EngineError):
    pass


class BundleError(EngineError):
    pass


class PaperError(EngineError):
    pass
