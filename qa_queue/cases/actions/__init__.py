"""Every action of the format, one class each. `processors/browser/actions` has the same modules."""

from qa_queue.cases.actions.assertion import CheckValue, Expect
from qa_queue.cases.actions.control import ForEach, Group, If, Repeat, Retry
from qa_queue.cases.actions.fields import (
    Blur,
    CheckBox,
    Clear,
    Fill,
    Focus,
    Press,
    Select,
    Type,
    UncheckBox,
    Upload,
)
from qa_queue.cases.actions.flow import UseFlow
from qa_queue.cases.actions.mocking import BlockRequests, Mock, ReplayHar
from qa_queue.cases.actions.navigation import Back, Forward, Goto, Reload
from qa_queue.cases.actions.network import Request
from qa_queue.cases.actions.page import Screenshot, SetViewport, WaitFor, WaitForTraffic
from qa_queue.cases.actions.pages import AnswerDialog, ClosePage, Download, NewPage, SwitchPage
from qa_queue.cases.actions.pointer import (
    Click,
    DoubleClick,
    Drag,
    Hover,
    Mouse,
    PointerAction,
    RightClick,
    Scroll,
    Tap,
)
from qa_queue.cases.actions.state import (
    Clock,
    Cookies,
    Headers,
    LocalStorage,
    Offline,
    Permissions,
    SaveState,
    SessionStorage,
    SetGeolocation,
)
from qa_queue.cases.actions.variables import Evaluate, Extract, SetVariables

__all__ = [
    "AnswerDialog",
    "Back",
    "BlockRequests",
    "Blur",
    "CheckBox",
    "CheckValue",
    "Clear",
    "Click",
    "Clock",
    "ClosePage",
    "Cookies",
    "DoubleClick",
    "Download",
    "Drag",
    "Evaluate",
    "Expect",
    "Extract",
    "Fill",
    "Focus",
    "ForEach",
    "Forward",
    "Goto",
    "Group",
    "Headers",
    "Hover",
    "If",
    "LocalStorage",
    "Mock",
    "Mouse",
    "NewPage",
    "Offline",
    "Permissions",
    "PointerAction",
    "Press",
    "Reload",
    "Repeat",
    "ReplayHar",
    "Request",
    "Retry",
    "RightClick",
    "SaveState",
    "Screenshot",
    "Scroll",
    "Select",
    "SessionStorage",
    "SetGeolocation",
    "SetVariables",
    "SetViewport",
    "SwitchPage",
    "Tap",
    "Type",
    "UncheckBox",
    "Upload",
    "UseFlow",
    "WaitFor",
    "WaitForTraffic",
]
