"""What would become of a request, and why: asked of the live proxy, told with what only the agent knows. Changes nothing."""

from .answer import Known, decided, explained
from .past import UNKNOWN, Past, question_of_trace, questions_of_trace
from .ports import on_own_ports
from .question import Question, question_of_connection, question_of_words
from .text import lines

__all__ = [
    "UNKNOWN",
    "Known",
    "Past",
    "Question",
    "decided",
    "explained",
    "lines",
    "on_own_ports",
    "question_of_connection",
    "question_of_trace",
    "question_of_words",
    "questions_of_trace",
]
