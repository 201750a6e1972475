"""Import of recordings of Chrome DevTools Recorder.

Semantics follow `@puppeteer/replay`, which replays such files: Schema.ts for the shape, PuppeteerRunnerExtension.ts
for what each step does.
"""

from qa_queue.cases.importers.recorder.convert import Converted, convert_recording, is_recording

__all__ = ["Converted", "convert_recording", "is_recording"]
