"""What would become of a request, and why: asked of the live proxy, told with what only the agent knows. Changes nothing."""

from .answer import Known, decided, explained
from .connection import PastConnection
from .connection_text import past_lines
from .past import Past, past_of_trace, questions_of_trace
from .ports import nobodys, on_own_ports
from .question import Question, question_of_connection, question_of_words
from .text import lines

__all__ = [
    "Known",
    "Past",
    "PastConnection",
    "Question",
    "decided",
    "explained",
    "lines",
    "nobodys",
    "on_own_ports",
    "past_lines",
    "past_of_trace",
    "question_of_connection",
    "question_of_words",
    "questions_of_trace",
]
