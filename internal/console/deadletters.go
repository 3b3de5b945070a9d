package console

func (c *Console) deadLetterPages() {}
