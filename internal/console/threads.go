package console

func (c *Console) threadPages() {}
