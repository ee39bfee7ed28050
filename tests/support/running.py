"""What can be started and closed, or stopped, as a context. It may not know what runs."""

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self


class Running(ABC):
    """`async with Thing(...) as thing:` starts it, and closes it whatever happens, a start that fails included."""

    @abstractmethod
    async def start(self) -> Self:
        """Starts it; returns when it serves."""

    @abstractmethod
    def close(self) -> None:
        """Ends it at once; nothing of it lives on."""

    async def __aenter__(self) -> Self:
        try:
            return await self.start()
        except BaseException:
            self.close()
            raise

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


class Serving(ABC):
    """The same for what is stopped by waiting: `async with Thing(...) as thing:`."""

    @abstractmethod
    async def start(self) -> Self:
        """Starts it; returns when it serves."""

    @abstractmethod
    async def stop(self) -> None:
        """Returns when it serves no more."""

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()
